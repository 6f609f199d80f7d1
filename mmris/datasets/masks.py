"""Masks from COCO segmentations."""

import math
from typing import Any, List, Optional, Sequence, Union

import numpy as np
from pycocotools import mask as coco_mask

Segmentation = Union[list, dict]

# Of one run length: 35 bits, more than any image has pixels.
_MOST_CHARACTERS = 7


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
    check_segmentation(segmentation, height, width)
    if isinstance(segmentation, dict):
        return _decode_rle(segmentation, height, width)
    # Merging is a union; adding polygons up, as the original reader does, drops or doubles where they overlap.
    return coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(list(segmentation), height, width)))


def check_segmentation(segmentation: Segmentation, height: int, width: int) -> None:
    """Check the form of a COCO segmentation without decoding it: see :func:`decode_segmentation`.

    Raises:
        ValueError: If it is neither polygons nor RLE, a polygon has under three points or others than finite ones, or
            RLE is of another size.
    """
    if isinstance(segmentation, dict):
        _check_rle(segmentation, height, width)
        return
    if not isinstance(segmentation, (list, tuple)) or not segmentation:
        raise ValueError(f'a segmentation is a list of polygons or an RLE dict, but this is {segmentation!r:.80}')
    for polygon in segmentation:
        if not isinstance(polygon, (list, tuple)) or len(polygon) < 6 or len(polygon) % 2 or not _are_finite(polygon):
            raise ValueError(f'a polygon needs three or more x, y pairs, but this is {polygon!r:.80}')


def _are_finite(numbers: Sequence[Any]) -> bool:
    try:
        return all(map(math.isfinite, numbers))
    except (TypeError, OverflowError):
        return False


def _check_rle(segmentation: dict, height: int, width: int) -> None:
    lacking = [key for key in ('size', 'counts') if segmentation.get(key) is None]
    if lacking:
        raise ValueError(f'an RLE needs size and counts, but this one lacks {" and ".join(lacking)}')
    size, counts = segmentation['size'], segmentation['counts']
    if not isinstance(size, (list, tuple)) or list(size) != [height, width]:
        told = ' x '.join(map(str, size)) if isinstance(size, (list, tuple)) else str(size)
        raise ValueError(f'its size is {told:.80}, the image\'s {height} x {width} (height x width)')
    if isinstance(counts, (str, bytes, list, tuple)) and not counts:
        raise ValueError('its counts are empty')
    if isinstance(counts, (str, bytes)):
        lengths = _run_lengths(counts)
    elif isinstance(counts, (list, tuple)) and all(isinstance(one, int) for one in counts):
        lengths = counts
    else:
        lengths = None
    if lengths is None or min(lengths) < 0:
        raise ValueError(f'counts of an RLE are integers of at least 0, but these are {counts!r:.80}')
    if sum(lengths) != height * width:
        raise ValueError(f'an RLE of {height} x {width} pixels needs counts of that sum, not {sum(lengths)}')


def _run_lengths(counts: Union[str, bytes]) -> Optional[List[int]]:
    """Run lengths of COCO's compressed counts: five bits a character, then a sixth that tells of more; from the
    fourth on, differences to the one before the last. None if the last one is not whole, or one is too long for any."""
    codes = np.frombuffer(counts.encode('ascii', 'replace') if isinstance(counts, str) else counts, np.uint8)
    codes = codes.astype(np.int64) - 48
    last = np.flatnonzero(codes & 0x20 == 0)
    first = np.append(0, last[:-1] + 1)
    width = last - first + 1
    if not len(last) or last[-1] != len(codes) - 1 or width.max() > _MOST_CHARACTERS:
        return None
    shifts = 5 * (np.arange(len(codes)) - np.repeat(first, width))
    lengths = np.add.reduceat((codes & 0x1f) << shifts, first)
    # The highest bit is the sign's.
    lengths -= (codes[last] >> 4 & 1) << 5 * width
    for start in (1, 2):
        lengths[start::2] = np.cumsum(lengths[start::2])
    return lengths.tolist()


def _decode_rle(segmentation: dict, height: int, width: int) -> np.ndarray:
    counts = segmentation['counts']
    if isinstance(counts, (list, tuple)):
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
