"""The work of ``mmris convert_dataset``."""

import argparse
import json
import os
import re
import shlex
import shutil
import sys
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any, Dict, List

from mmengine.utils import track_iter_progress

from mmris.datasets.image_files import image_path
from mmris.datasets.problems import ProblemTally
from mmris.datasets.readers import FORMS, Content, Form, find_form, read_content, recognise_form
from mmris.datasets.refer_files import ReferFiles, check_content
from mmris.datasets.referred_images import Reading
from mmris.datasets.set_check import check_set, format_report
from mmris.datasets.writers import prepare_set, write_coco, write_parquet, write_refer
from mmris.names import flag_of
from mmris.utils.folders import remove_leftovers, write_folder
from mmris.utils.json_files import JSON_ERRORS
from mmris.utils.memory import gc_paused
from mmris.utils.tables import markdown_table

AUTO, IMAGE_FOLDER = 'auto', 'images'
# Says what this command wrote to a folder, so that nothing else is ever replaced.
RECORD = 'converted.json'


def main(options: argparse.Namespace) -> int:
    out = Path(os.path.abspath(options.out))
    check_options(out, options)
    check_folder(out, options)
    form = recognise_form(options.files[0]) if options.form == AUTO else find_form(options.form)
    instances = options.instances or os.path.join(folder_of(options.files[0]), 'instances.json')
    with gc_paused():
        content, splits = read_content(
            options.files, form=form, instances_path=instances, image_folder=options.images,
            options=form_options(options, form))
        left_out = ProblemTally()
        files = check_content(
            content, splits, instances_path=instances, refs_path=options.files[0], report=left_out.report)
        reading = Reading(options.images, 'sent', left_out.report, ProblemTally())
        files = prepare_set(files, reading, progress=partial(track_iter_progress, file=sys.stderr))
    print(file=sys.stderr)
    if not files.refs:
        why = [*content.left_out.lines('left out'), *left_out.lines('left out')]
        raise ValueError('\n'.join(['No sentence is left to write.', *why]))
    write(files, out, options, left_out)
    report_content(files, content, left_out)
    return finish(out, options)


def check_options(out: Path, options: argparse.Namespace) -> None:
    """Check what can be checked before any work.

    Raises:
        FileNotFoundError: If there is no such folder of images or annotation file.
        ValueError: If options do not go together, or the name of the refs file cannot be one.
    """
    if options.copy_images and options.images is None:
        raise ValueError('--copy-images needs --images, the folder of the images.')
    if options.images is not None and not os.path.isdir(options.images):
        raise FileNotFoundError(f'There is no folder {options.images} (--images).')
    if options.instances is not None and not os.path.isfile(options.instances):
        raise FileNotFoundError(f'There is no file {options.instances} (--instances).')
    if not re.fullmatch(r'[\w.+-]+', options.by):
        raise ValueError(f'--by is {options.by!r}, but a name of letters, digits and ".+-_" is expected, as in '
                         f'refs(unc).p.')
    if options.images is not None and out.is_relative_to(os.path.abspath(options.images)):
        raise ValueError(f'--out {options.out} is inside of --images {options.images}, where the new set would be '
                         f'taken for images. Name another folder with --out.')
    if out == Path.cwd():
        raise ValueError('--out is the folder that you are in, which cannot be replaced. Name another folder.')


def folder_of(path: str) -> str:
    """The folder that a file or pattern is in; a folder is its own."""
    return path if os.path.isdir(path) else os.path.dirname(path)


def check_folder(out: Path, options: argparse.Namespace) -> None:
    """Check that the folder may be written, before any work.

    Raises:
        FileExistsError: If there is something that is not to be replaced: nobody said so, or it is not a set that this
            command wrote, or something in it is needed.
    """
    remove_leftovers(out)
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not options.overwrite:
        raise FileExistsError(f'{out} is there already. Name another folder with --out, or replace this one with '
                              f'--overwrite.')
    needed = [one for one in (*options.files, options.images, options.instances, options.mask_folder)
              if one is not None and Path(os.path.abspath(one)).is_relative_to(out)]
    foreign = find_foreign(out)
    if needed or foreign:
        why = f'{needed[0]} is in it' if needed else f'{foreign[0]} in it was not written by convert_dataset'
        raise FileExistsError(f'{out} is not replaced: {why}. Name another folder with --out.')


def find_foreign(out: Path) -> List[str]:
    """What is in a folder and is not in the record of what this command wrote there."""
    if not out.is_dir():
        return [out.name]
    there = sorted(str(path.relative_to(out)) for path in out.rglob('*') if not path.is_dir())
    try:
        written = set(json.loads((out / RECORD).read_text(encoding='utf-8'))['files'])
    except (OSError, *JSON_ERRORS, KeyError, TypeError):
        written = set()
    return [name for name in there if name not in written]


def form_options(options: argparse.Namespace, form: Form) -> Dict[str, Any]:
    """The options of the form that were given.

    Raises:
        ValueError: If one is given that the form does not take.
    """
    known = dict.fromkeys(name for one in FORMS.values() for name in one.options)
    given = {name: value for name in known if (value := getattr(options, name)) is not None}
    unknown = [flag_of(name) for name in given if name not in form.options]
    if unknown:
        takes = ', '.join(map(flag_of, form.options)) or 'none of these options'
        raise ValueError(f'The form {form.name} does not take {", ".join(unknown)}. It takes {takes}.')
    return given


def write(files: ReferFiles, out: Path, options: argparse.Namespace, left_out: ProblemTally) -> None:
    """Write the set. The folder appears only when it is complete."""
    with write_folder(out) as folder:
        if options.to == 'refer':
            paths = write_refer(files, folder, options.by)
        elif options.to == 'coco':
            paths = write_coco(files, folder, left_out.report)
        else:
            paths = write_parquet(files, folder)
        names = [str(path.relative_to(folder)) for path in paths]
        if options.copy_images:
            copy_images(files, options.images, folder / IMAGE_FOLDER)
            names.append(f'{IMAGE_FOLDER}/')
        written = sorted(str(path.relative_to(folder)) for path in folder.rglob('*') if path.is_file())
        record = dict(form=options.form, files=[*written, RECORD])
        (folder / RECORD).write_text(json.dumps(record, indent=2) + '\n', encoding='utf-8')
    print(f'{out}: {", ".join(names)}\n')


def copy_images(files: ReferFiles, source: str, folder: Path) -> None:
    """Copy the images of a set, under the names that its files have.

    Raises:
        ValueError: If such a name leads out of the folder.
    """
    for image in track_iter_progress(list(files.images.whole.values()), file=sys.stderr):
        target = Path(os.path.normpath(folder / image['file_name']))
        if not target.is_relative_to(folder):
            raise ValueError(f'{image["file_name"]} leads out of the folder of the images, so it is not copied. Leave '
                             f'out --copy-images, or put all images into one folder.')
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(image_path(image, source), target)
    print(file=sys.stderr)


def report_content(files: ReferFiles, content: Content, left_out: ProblemTally) -> None:
    """Print what is in each split, and what was left out and why."""
    rows = []
    for split in files.splits:
        refs = [ref for ref in files.refs if ref['split'] == split]
        targets = Counter(min(2, len(ref['ann_id'])) if isinstance(ref['ann_id'], list) else 1 for ref in refs)
        rows.append([
            split, len(refs), sum(len(ref['sentences']) for ref in refs), len({ref['image_id'] for ref in refs}),
            targets[0], targets[2]
        ])
    print(markdown_table(['split', 'refs', 'sentences', 'images', 'no target', 'several targets'], rows))
    lines = [*content.left_out.lines('left out'), *left_out.lines('left out')]
    print('\n'.join(['', *lines] if lines else ['', 'Nothing was left out.']), flush=True)


def finish(out: Path, options: argparse.Namespace) -> int:
    """Check the new set if it is of REFER files and its images are there, and say what to run next."""
    if options.to != 'refer' or options.images is None:
        return 0
    refs_file = f'refs({options.by}).p'
    images = IMAGE_FOLDER if options.copy_images else os.path.relpath(options.images, out)
    report = check_set(
        instances_path=str(out / 'instances.json'), refs_path=str(out / refs_file),
        image_folder=os.path.normpath(out / images), decode=True)
    print(f'\n{format_report(report)}')
    places = ['--data-root', options.out, '--refs-file', refs_file, '--image-folder', images]
    command = ['mmris', 'browse_dataset', 'mmris::cm_masksd/vit-b_own.py', *places]
    print(f'\nLook at it:\n    {shlex.join(command)}')
    return 0 if report.is_fine else 1
