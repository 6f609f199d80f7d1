"""Whether masks lie in the boxes of their annotations: it shows boxes of another convention and wrong joins."""

import math
from typing import Any, Iterable, Iterator, List, Optional, Sequence, Tuple

from mmris.utils.ids import Id, read_id
from mmris.utils.text import shorten

from .masks import segmentation_extent
from .problems import Problem
from .refer_files import ReferFiles, target_annotation_ids

MARGIN = 2
"""Pixels by which a mask may reach out of its box, or a box out of its image: annotators round."""

MANY = 0.1
"""Share of annotations above which masks out of their boxes are no slips of annotators any more."""


def check_boxes(refs: Sequence[dict], files: ReferFiles) -> Tuple[List[Problem], List[str]]:
    """Compare the mask of each annotation that refs point to with its box, and with the one that refs have for it.

    Boxes are used by nothing else, and a published set may have some that are off. A few are therefore a note. Many are
    a problem: boxes that are x, y, x, y or percentages instead of x, y, width, height in pixels, or masks that were
    joined to other objects.

    Args:
        refs (Sequence[dict]): Refs of ``files``. Those of forms that hold boxes and no masks have ``target_boxes``, one
            a target.
        files (ReferFiles): Their annotations and images. Images without a size are left out.

    Returns:
        tuple[list[Problem], list[str]]: For the boxes of annotations, and for those of refs, one problem or one note;
        none if all masks lie in their boxes.
    """
    ids = dict.fromkeys(one for ref in refs for one in target_annotation_ids(ref))
    of_annotations = [(one, files.annotations.whole.get(one, {}).get('bbox')) for one in ids]
    of_refs = dict.fromkeys((one, tuple(box)) for ref in refs for one, box in _boxes_of_ref(ref))
    problems, notes = [], []
    for path, boxes in ((files.instances_path, of_annotations), (files.refs_path, of_refs)):
        count, faults = _compare(boxes, files)
        if not faults:
            continue
        message = (f'{len(faults):,} of {count:,} boxes of {path} do not fit their masks; the first: {faults[0]}. '
                   f'Boxes are x, y, width, height in pixels.')
        if len(faults) <= MANY * count:
            notes.append(message)
        else:
            problems.append(
                Problem('boxes that do not fit', path, f'{message} If yours are, masks and boxes are of different '
                        f'objects: check the ids that they were joined by.'))
    return problems, notes


def _boxes_of_ref(ref: dict) -> Iterator[Tuple[Id, Sequence]]:
    boxes = ref.get('target_boxes')
    targets = target_annotation_ids(ref)
    if isinstance(boxes, list) and len(boxes) == len(targets):
        yield from ((one, box) for one, box in zip(targets, boxes) if _is_box(box))


def _compare(boxes: Iterable[Tuple[Id, Any]], files: ReferFiles) -> Tuple[int, List[str]]:
    """How many boxes could be compared with the mask of their annotation, and what is wrong with some."""
    count, faults = 0, []
    for one, box in boxes:
        annotation = files.annotations.whole.get(one, {})
        # It may be anything where no ref points to the annotation.
        image = files.images.whole.get(read_id(annotation.get('image_id')), {})
        if box is None or 'segmentation' not in annotation or image.get('height') is None:
            continue
        count += 1
        fault = _fault_of_box(box, annotation['segmentation'], image['height'], image['width'])
        if fault is not None:
            faults.append(f'annotation {one} {fault}')
    return count, faults


def _fault_of_box(box: Any, segmentation: Any, height: int, width: int) -> Optional[str]:
    if not _is_box(box):
        return f'has bbox={shorten(box)}, which is not four numbers'
    shown = '[' + ', '.join(f'{one:g}' for one in box) + ']'
    left, top, right, bottom = box[0], box[1], box[0] + box[2], box[1] + box[3]
    if min(left, top) < -MARGIN or right > width + MARGIN or bottom > height + MARGIN:
        return f'has the box {shown}, which reaches out of its image of {width} x {height} pixels (width x height)'
    try:
        extent = segmentation_extent(segmentation, height, width)
    except ValueError:
        # Reported as a malformed mask.
        return None
    if extent is None:
        return None
    x, y, wide, high = extent
    if x < left - MARGIN or y < top - MARGIN or x + wide > right + MARGIN or y + high > bottom + MARGIN:
        return f'has the box {shown}, but its mask is in [{x}, {y}, {wide}, {high}]'
    return None


def _is_box(box: Any) -> bool:
    return isinstance(box, (list, tuple)) and len(box) == 4 and all(
        isinstance(one, (int, float)) and not isinstance(one, bool) and abs(one) < 1e9 and math.isfinite(one)
        for one in box)
