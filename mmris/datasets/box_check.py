"""Whether masks lie in the boxes of their annotations: it shows boxes of another convention and wrong joins."""

import math
from typing import Any, List, Optional, Sequence, Tuple

from mmris.utils.text import shorten

from .masks import segmentation_extent
from .problems import Problem
from .refer_files import ReferFiles, target_annotation_ids

MARGIN = 2
"""Pixels by which a mask may reach out of its box, or a box out of its image: annotators round."""

MANY = 0.1
"""Share of annotations above which masks out of their boxes are no slips of annotators any more."""


def check_boxes(refs: Sequence[dict], files: ReferFiles) -> Tuple[List[Problem], List[str]]:
    """Compare the mask of each annotation that refs point to with its box, if it has one.

    Boxes are used by nothing else, and a published set may have some that are off. A few are therefore a note. Many are
    a problem: boxes that are x, y, x, y or percentages instead of x, y, width, height in pixels, or masks that were
    joined to other objects.

    Args:
        refs (Sequence[dict]): Refs of ``files``.
        files (ReferFiles): Their annotations and images. Images without a size are left out.

    Returns:
        tuple[list[Problem], list[str]]: One problem or one note; none if all masks lie in their boxes.
    """
    count, faults = 0, []
    for one in dict.fromkeys(one for ref in refs for one in target_annotation_ids(ref)):
        annotation = files.annotations.whole.get(one, {})
        image = files.images.whole.get(annotation.get('image_id'), {})
        if annotation.get('bbox') is None or 'segmentation' not in annotation or image.get('height') is None:
            continue
        count += 1
        fault = _fault_of_box(annotation, image['height'], image['width'])
        if fault is not None:
            faults.append(f'annotation {one} {fault}')
    if not faults:
        return [], []
    message = (f'{len(faults):,} of {count:,} boxes of {files.instances_path} do not fit their masks; the first: '
               f'{faults[0]}. Boxes are x, y, width, height in pixels.')
    if len(faults) <= MANY * count:
        return [], [message]
    return [
        Problem('boxes that do not fit', files.instances_path, f'{message} If yours are, masks and boxes are of '
                f'different objects: check the ids that they were joined by.')
    ], []


def _fault_of_box(annotation: dict, height: int, width: int) -> Optional[str]:
    box = annotation['bbox']
    if not _is_box(box):
        return f'has bbox={shorten(box)}, which is not four numbers'
    shown = '[' + ', '.join(f'{one:g}' for one in box) + ']'
    left, top, right, bottom = box[0], box[1], box[0] + box[2], box[1] + box[3]
    if min(left, top) < -MARGIN or right > width + MARGIN or bottom > height + MARGIN:
        return f'has the box {shown}, which reaches out of its image of {width} x {height} pixels (width x height)'
    try:
        extent = segmentation_extent(annotation['segmentation'], height, width)
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
