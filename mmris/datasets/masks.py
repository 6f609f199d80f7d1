"""Masks from COCO segmentations."""

from typing import Sequence, Union

import numpy as np
from pycocotools import mask as coco_mask

Segmentation = Union[list, dict]


def decode_segmentation(segmentation: Segmentation, height: int, width: int) -> np.ndarray:
    """Decode one COCO segmentation.

    Args:
        segmentation (list or dict): Polygons ``[[x, y, x, y, ...], ...]``, whose union it is; or RLE
            ``{'counts': ..., 'size': [height, width]}`` with counts as a list (uncompressed) or as a string.
        height (int): Of the image in pixels.
        width (int): Of the image in pixels.

    Returns:
        ndarray: ``(height, width)`` uint8 of 0 and 1.

    Raises:
        ValueError: If it is neither polygons nor RLE, a polygon has under three points, or RLE is of another size.
    """
    if isinstance(segmentation, dict):
        return _decode_rle(segmentation, height, width)
    if not isinstance(segmentation, (list, tuple)) or not segmentation:
        raise ValueError(f'a segmentation is a list of polygons or an RLE dict, but this is {segmentation!r:.80}')
    for polygon in segmentation:
        if not isinstance(polygon, (list, tuple)) or len(polygon) < 6 or len(polygon) % 2:
            raise ValueError(f'a polygon needs three or more x, y pairs, but this is {polygon!r:.80}')
    # Merging is a union; adding polygons up, as the original reader does, drops or doubles where they overlap.
    return coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(list(segmentation), height, width)))


def _decode_rle(segmentation: dict, height: int, width: int) -> np.ndarray:
    size, counts = segmentation.get('size'), segmentation.get('counts')
    if size is None or counts is None or list(size) != [height, width]:
        raise ValueError(
            f'an RLE needs counts and the image\'s size [{height}, {width}], but this one has keys '
            f'{sorted(segmentation)} and size {size}')
    if isinstance(counts, (list, tuple)):
        if sum(counts) != height * width:
            raise ValueError(f'an RLE of {height} x {width} pixels needs counts of that sum, not {sum(counts)}')
        return coco_mask.decode(coco_mask.frPyObjects(dict(size=[height, width], counts=list(counts)), height, width))
    counts = counts.encode('ascii') if isinstance(counts, str) else counts
    return coco_mask.decode(dict(size=[height, width], counts=counts))


def union_of_segmentations(segmentations: Sequence[Segmentation], height: int, width: int) -> np.ndarray:
    """Decode the segmentations of one target and unite them; no segmentation is an empty target.

    Returns:
        ndarray: ``(height, width)`` uint8 of 0 and 1.

    Raises:
        ValueError: See :func:`decode_segmentation`.
    """
    union = np.zeros((height, width), dtype=np.uint8)
    for segmentation in segmentations:
        np.maximum(union, decode_segmentation(segmentation, height, width), out=union)
    return union
