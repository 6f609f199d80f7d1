"""Downloaded sets, checked as ``check_dataset.py`` does, and what to run next."""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Callable, Dict, List, Optional, Sequence

from mmris.datasets.problems import Problem
from mmris.datasets.published_counts import recognise_set
from mmris.datasets.set_check import SetReport, check_set, format_report

from .table import DATA_SETS, DataSet

_MISSING_IMAGE = 'missing image file'
# Shown of each kind of problem; check_dataset.py lists all.
_SHOWN = 3


def check_downloaded(one: DataSet, root: Path, say: Callable[[str], None] = print) -> bool:
    """Check a data set, its counts against the published ones where these are known.

    Missing images are no fault here: they are a data set of their own.

    Args:
        one (DataSet): The data set. Its files are there.
        root (Path): The folder of all data.
        say (Callable): Gets the report. Default: ``print``.

    Returns:
        bool: Whether nothing is broken and all counts are as published.

    Raises:
        ValueError: If a file is not whole, or of another kind.
    """
    if not one.files:
        return _check_images(one, root, say)
    fine = True
    for name in one.refs_files:
        report = _check_annotations(one, name, root)
        say(f'\n{format_report(report)}')
        fine = fine and report.is_fine
    if one.images is not None and not DATA_SETS[one.images].present(root):
        say(f'\nThe images are not in {root / DATA_SETS[one.images].folder} yet.')
    return fine


def _check_images(one: DataSet, root: Path, say: Callable[[str], None]) -> bool:
    count, folder = len(one.present(root)), root / one.folder
    if count == one.image_count:
        say(f'{folder}: {count:,} images, as published')
        return True
    say(f'{folder}: {count:,} images, but {one.image_count:,} are published')
    return False


def _check_annotations(one: DataSet, name: str, root: Path) -> SetReport:
    folder = root / one.folder
    report = check_set(
        instances_path=str(folder / 'instances.json'),
        refs_path=str(folder / name),
        image_folder=str(root / DATA_SETS[one.images].folder) if one.images else str(folder / 'images'),
        published=recognise_set(str(folder / name)))
    by_kind: Dict[str, List[Problem]] = {}
    for problem in report.problems:
        if problem.kind != _MISSING_IMAGE:
            by_kind.setdefault(problem.kind, []).append(problem)
    problems = [problem for group in by_kind.values() for problem in group[:_SHOWN]]
    notes = [f'{len(group):,} of the kind "{kind}", of which {_SHOWN} are shown. check_dataset lists all.'
             for kind, group in by_kind.items() if len(group) > _SHOWN]
    return replace(report, problems=problems, notes=[*report.notes, *notes])


def next_command(sets: Sequence[DataSet], root: Path) -> Optional[str]:
    """Return the command to run after a download.

    Args:
        sets (Sequence[DataSet]): What was downloaded.
        root (Path): The folder of all data, as the user wrote it.

    Returns:
        str, optional: Downloads images that annotations lack; if none are missing, checks a set with its images; if
            there are only images, downloads the first set that uses them. None: nothing fits.
    """
    place = [] if str(root) == 'data' else ['--root', str(root)]
    annotated = [one for one in sets if one.files]
    lacking = [one.images for one in annotated if one.images and not DATA_SETS[one.images].is_complete(root)]
    if lacking:
        return shlex.join(['mmris', 'download', *dict.fromkeys(lacking), *place])
    names = {one.name for one in sets}
    users = annotated or [one for one in DATA_SETS.values() if one.images in names]
    ready = next((one for one in users if one.is_complete(root)), None)
    if ready is None:
        return shlex.join(['mmris', 'download', users[0].name, *place]) if users else None
    return shlex.join([
        'mmris', 'check_dataset', '--data-root', str(root / ready.folder), '--refs-file',
        ready.refs_files[0], *_image_folder(ready), '--decode'
    ])


def _image_folder(one: DataSet) -> List[str]:
    """The option of check_dataset that names the images, where it does not find them itself."""
    return [] if one.images in (None, 'coco-train2014') else ['--image-folder', f'../{DATA_SETS[one.images].folder}']
