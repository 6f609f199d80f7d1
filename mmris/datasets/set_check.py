"""A set on disk, checked entry by entry and counted against what is published."""

import os
import sys
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Dict, List, Mapping, Optional, Sequence, Set

from mmengine.utils import ProgressBar

from mmris.utils.memory import gc_paused
from mmris.utils.tables import markdown_table

from .box_check import check_boxes
from .exclusion import exclude_images, read_excluded_splits
from .image_files import image_path
from .instance_masks import NO_RESULTS, complete_settings, look_up_instances
from .problems import Problem, ProblemTally, Report, printable
from .published_counts import Counts, PublishedSet
from .refer_files import ReferFiles, read_refer_files
from .referred_images import Reading, collect_images, drop_undecodable
from .shared_images import note_shared_images
from .splits import is_in_split, list_splits
from .transforms.loading import load_sample_image


@dataclass(frozen=True)
class SplitReport:
    """One split.

    Attributes:
        counts (Counts): What the files hold.
        image_files (int): How many of its images are there as files.
        published (Counts, optional): What was published. None: the set, or a split of that name, was not.
        state (str): ``'equal'``, ``'differs'`` or ``'not published'``.
    """

    counts: Counts
    image_files: int
    published: Optional[Counts]
    state: str


@dataclass(frozen=True)
class SetReport:
    """What :func:`check_set` found.

    Attributes:
        refs_path (str): The refs file.
        instances_path (str): Where masks are: the annotation file, or the refs file if they are in it.
        image_folder (str): Where images were looked for.
        published (str, optional): Title of the published set that it was compared with.
        decoded (bool): Whether images and masks were decoded.
        splits (dict[str, SplitReport]): What is in each split.
        problems (list[Problem]): All that is broken.
        notes (list[str]): What is worth knowing and is no fault.
    """

    refs_path: str
    instances_path: str
    image_folder: str
    published: Optional[str]
    decoded: bool
    splits: Dict[str, SplitReport]
    problems: List[Problem]
    notes: List[str]

    @property
    def is_fine(self) -> bool:
        """bool: Whether nothing is broken and no count differs from the published one."""
        return not self.problems and all(split.state != 'differs' for split in self.splits.values())

    def to_dict(self) -> Dict[str, Any]:
        """The same in plain containers, for JSON."""
        problems = [{key: getattr(problem, key) for key in ('kind', 'entry', 'message')} for problem in self.problems]
        return dict(asdict(self), problems=problems, is_fine=self.is_fine)


def check_set(*,
              instances_path: str,
              refs_path: str,
              image_folder: str,
              published: Optional[PublishedSet] = None,
              text_field: str = 'sent',
              decode: bool = False,
              upright: bool = False,
              instance_masks: Optional[Mapping[str, Any]] = None,
              exclude: Optional[Mapping[str, Optional[dict]]] = None,
              data_root: str = '') -> SetReport:
    """Check each entry of a set, by the rules that the data set loads it by, and count.

    Args:
        instances_path (str): ``instances.json``.
        refs_path (str): The refs file.
        image_folder (str): The images' folder.
        published (PublishedSet, optional): What to compare with.
        text_field (str): Which sentences must not be empty, ``'sent'`` or ``'raw'``. Defaults to ``'sent'``.
        decode (bool): Also decode each image and mask, compare masks with boxes (see :func:`check_boxes`), and look for
            copies of images in other splits; shows a progress bar. Defaults to False.
        upright (bool): Annotations belong to images that are turned upright by their EXIF, as
            ``LoadImage(upright=True)`` reads them. Defaults to False: to the stored pixels.
        instance_masks (dict, optional): As of the data set, to check the masks of all its images too; ``file`` is a
            whole path; one that cannot be read is a problem. What ``'skip'`` leaves out is a note. Defaults to None.
        exclude (dict, optional): As of the data set, to check that the images to leave out are known. Defaults to
            None.
        data_root (str): Folder that the refs files of ``exclude`` lie below. Defaults to ''.

    Returns:
        SetReport: What was found.

    Raises:
        FileNotFoundError: If one of the two files is missing.
        ValueError: If one of them is not whole, or of another kind, or ``instance_masks`` has unknown settings.
    """
    problems, repairs = [], ProblemTally()
    with gc_paused():
        files = read_refer_files(instances_path, refs_path, image_folder=image_folder, report=problems.append)
        problems += [*files.images.problems, *files.annotations.problems]
        reading = Reading(image_folder, text_field, problems.append, repairs, unique_ids=True)
        images = collect_images(files.refs, files, reading)
    missing = {problem.entry for problem in problems if problem.kind == 'missing image file'}
    splits = {split: _count(split, files, image_folder, missing, published) for split in _splits(files, published)}
    why = (' As published: this partition is one of objects, not of images.' if published and published.shares_images
           else ' A model trained on one has seen images of the other.')
    shared = note_shared_images(files, image_folder, compare_files=decode, why=why)
    notes = [*shared, *files.left_out.lines('left out'), *repairs.lines('repaired')]
    if decode:
        _decode(images, upright, problems.append)
        found = check_boxes(files.refs, files)
        problems += found[0]
        notes += found[1]
    if exclude is not None:
        _check_exclusion(exclude, data_root, files, problems)
    if instance_masks is not None:
        _check_instances(images, complete_settings(instance_masks), problems, notes)
    return SetReport(
        refs_path=refs_path,
        instances_path=files.instances_path,
        image_folder=image_folder,
        published=published and published.title,
        decoded=decode,
        splits=splits,
        problems=_merge_missing_images(list(dict.fromkeys(problems)), files, image_folder),
        notes=notes)


def format_report(report: SetReport) -> str:
    """Lay out a report: a table of the splits, then all that is broken, by its kind, then notes."""
    against = report.published or 'no published set'
    how = 'decoded' if report.decoded else 'not decoded'
    lines = [
        ', '.join(dict.fromkeys([report.refs_path, report.instances_path])), f'images in {report.image_folder}, {how}',
        f'counts against {against}', '',
        _format_splits(report.splits)
    ]
    by_kind: Dict[str, List[Problem]] = {}
    for problem in report.problems:
        by_kind.setdefault(problem.kind, []).append(problem)
    for kind, problems in by_kind.items():
        lines += ['', f'{kind}: {len(problems):,}', *(f'  {problem.message}' for problem in problems)]
    if report.notes:
        lines += ['', *(f'Note: {note}' for note in report.notes)]
    differing = [split for split, found in report.splits.items() if found.state == 'differs']
    differ = f'; counts of {", ".join(differing)} differ from the published ones' if differing else ''
    lines += ['', 'All is well.' if report.is_fine else f'Broken entries: {len(report.problems):,}{differ}.']
    return '\n'.join(lines)


def _format_splits(splits: Dict[str, SplitReport]) -> str:

    def cell(found: Optional[int], published: Optional[int]) -> str:
        return f'{found:,}' if published in (None, found) else f'{found:,} (published {published:,})'

    rows = []
    for split, found in splits.items():
        published = asdict(found.published) if found.published else {}
        cells = [cell(count, published.get(name)) for name, count in asdict(found.counts).items()]
        rows.append([split, *cells, found.image_files, found.state])
    return markdown_table(['split', 'refs', 'sentences', 'images', 'image files', 'counts'], rows)


def _splits(files: ReferFiles, published: Optional[PublishedSet]) -> List[str]:
    return list_splits([*files.splits, *(published.splits if published else ())])


def _count(split: str, files: ReferFiles, image_folder: str, missing: Set[str],
           published: Optional[PublishedSet]) -> SplitReport:
    refs = [ref for ref in files.refs if is_in_split(ref['split'], split)]
    image_ids = {ref['image_id'] for ref in refs}
    counts = Counts(len(refs), sum(len(ref['sentences']) for ref in refs), len(image_ids))
    images = files.images.whole
    paths = [image_path(images[one], image_folder) for one in image_ids if one in images]
    wanted = published.splits.get(split) if published else None
    state = 'not published'
    if published:
        state = 'equal' if wanted is not None and _agree(counts, wanted) else 'differs'
    return SplitReport(counts, sum(printable(path) not in missing for path in paths), wanted, state)


def _agree(counts: Counts, published: Counts) -> bool:
    return all(wanted in (None, getattr(counts, name)) for name, wanted in asdict(published).items())


def _decode(images: Sequence[dict], upright: bool, report: Report) -> None:
    load_image = partial(load_sample_image, upright=upright)
    # Beside the report, not in it.
    progress = ProgressBar(len(images), file=sys.stderr)
    for image in images:
        drop_undecodable(image, load_image, report)
        progress.update()
    print(file=sys.stderr)


def _check_exclusion(exclude: Mapping[str, Optional[dict]], data_root: str, files: ReferFiles,
                     problems: List[Problem]) -> None:
    try:
        exclude_images(files.refs, files, read_excluded_splits(exclude, data_root), name=files.refs_path)
    except (FileNotFoundError, ValueError) as error:
        problems.append(Problem('images to leave out', 'exclude', str(error), type(error)))


def _check_instances(images: Sequence[dict], settings: Mapping[str, Any], problems: List[Problem],
                     notes: List[str]) -> None:
    """Add what is wrong with instance masks, one entry a kind: there may be as many as masks. Note what there is."""
    tally, repairs, file = ProblemTally(), ProblemTally(), settings['file']
    try:
        images = look_up_instances(images, settings, tally.report, repairs)
    except (FileNotFoundError, ValueError) as error:
        problems.append(Problem('unreadable instance masks', file, str(error), type(error)))
        return
    if settings['problems'] == 'skip':
        notes.extend(f'{file}: {line}' for line in tally.lines('skipped'))
    else:
        problems.extend(_merge(count, first, len(images), file) for count, first in tally.firsts())
    notes.extend(f'{file}: {line}' for line in repairs.lines('repaired'))
    counts = [len(image['instances']) for image in images]
    notes.append(f'{sum(counts):,} instance masks with a score of at least {settings["min_score"]:g}, no more than '
                 f'{settings["max_instances"]} an image, are on {sum(map(bool, counts)):,} of {len(images):,} images '
                 f'({file}).')


def _merge(count: int, first: Problem, images: int, file: str) -> Problem:
    if first.kind == NO_RESULTS:
        return Problem(first.kind, file, f'{count:,} of {images:,} images have no result. {first.message}')
    return first if count == 1 else Problem(first.kind, file, f'{count:,} of these; the first: {first.message}')


def _merge_missing_images(problems: Sequence[Problem], files: ReferFiles, image_folder: str) -> List[Problem]:
    """One problem an image file, whatever number of refs lack it; a single one if there is no file at all."""
    by_path = {problem.entry: problem for problem in reversed(problems) if problem.kind == 'missing image file'}
    others = [problem for problem in problems if problem.kind != 'missing image file']
    ids = {ref['image_id'] for ref in files.refs} & files.images.whole.keys()
    wanted = {printable(image_path(files.images.whole[one], image_folder)) for one in ids}
    if not wanted or by_path.keys() != wanted:
        return [*others, *(by_path[path] for path in sorted(by_path))]
    return [
        *others,
        Problem(
            'missing image file', image_folder, f'None of the {len(wanted):,} image files is in {image_folder}, '
            f'such as {os.path.basename(min(wanted))}. Name the folder of the images: --image-folder, or '
            f'data_prefix.img_path of a config.')
    ]
