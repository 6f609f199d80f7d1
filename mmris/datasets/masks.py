"""Masks from COCO segmentations."""

import math
from dataclasses import dataclass
from typing import Any, List, Optional, Sequence, Tuple, Union

import cv2
import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

from mmris.utils.ids import read_whole_number
from mmris.utils.text import shorten


@dataclass(frozen=True)
class UnreadableMask:
    """Stands for a segmentation that a form keeps in a file of its own, and that could not be read.

    Attributes:
        reason (str): What is wrong, and where, without a full stop: ``'masks/refcoco/5.png is missing'``.
    """

    reason: str


Segmentation = Union[list, dict]

# Of one run length: 35 bits, more than any image has pixels.
_MOST_CHARACTERS = 7
_IMAGE_SUFFIXES = ('.png', '.jpg', '.jpeg', '.bmp', '.gif', '.tif', '.tiff', '.webp', '.npy', '.npz', '.mat')
# Drawing an outline takes some 80 bytes of memory a pixel of its length.
_LONGEST_OUTLINE = 10_000_000


def max_image_pixels() -> float:
    """The most pixels of an image: more than that Pillow does not decode, unless its limit is taken away."""
    return math.inf if Image.MAX_IMAGE_PIXELS is None else 2 * Image.MAX_IMAGE_PIXELS


def decode_segmentation(segmentation: Segmentation,
                        height: int,
                        width: int,
                        out: Optional[np.ndarray] = None) -> np.ndarray:
    """Decode one COCO segmentation.

    Args:
        segmentation (list or dict): RLE ``{'counts': ..., 'size': [height, width]}``, with counts as a list
            (uncompressed) or as a string; or a list of polygons ``[x, y, x, y, ...]`` and RLEs, whose union it is.
            Polygons of under three points are left out if there is anything else.
        height (int): Height of the image in pixels.
        width (int): Width of the image in pixels.
        out (ndarray, optional): ``(height, width)`` uint8, contiguous, to write to. Default: None, a new array.

    Returns:
        ndarray: ``(height, width)`` uint8 of 0 and 1.

    Raises:
        ValueError: See :func:`check_segmentation`.
    """
    return union_of_segmentations([segmentation], height, width, out)


def check_segmentation(segmentation: Union[Segmentation, UnreadableMask], height: int, width: int) -> int:
    """Check a COCO segmentation without decoding it: whatever passes can be decoded, in bounded time and memory.

    Args:
        segmentation (list, dict or UnreadableMask): See :func:`decode_segmentation`.
        height (int): Height of the image in pixels.
        width (int): Width of the image in pixels.

    Returns:
        int: How many polygons of under three points stand beside good parts, and are left out.

    Raises:
        ValueError: If it is neither an RLE nor a list of polygons and RLEs, or nothing is in it, or it could not be
            read.
        ValueError: If a polygon is not of finite x, y pairs, or all polygons have under three points.
        ValueError: If a polygon reaches further out of the image than the image is wide or high, or outlines are much
            longer than anything on the image could be.
        ValueError: If an RLE is malformed or of another size.
    """
    if isinstance(segmentation, UnreadableMask):
        raise ValueError(segmentation.reason)
    if isinstance(segmentation, dict):
        _check_rle(segmentation, height, width)
        return 0
    _check_list(segmentation)
    polygons, short = [], 0
    for part in segmentation:
        if isinstance(part, dict):
            _check_rle(part, height, width)
        elif not isinstance(part, (list, tuple)) or len(part) % 2 or not _are_finite(part):
            raise ValueError(f'a polygon is a list of x, y pairs, but this is {shorten(part)}')
        elif _is_short(part):
            short += 1
        else:
            polygons.append(part)
    if short == len(segmentation):
        raise ValueError(f'a polygon needs three or more points, but {_describe_point_counts(segmentation)}')
    _check_bounds(polygons, height, width)
    return short


def _check_list(segmentation: Any) -> None:
    if isinstance(segmentation, str) and segmentation.lower().endswith(_IMAGE_SUFFIXES):
        raise ValueError(f'a segmentation is a list of polygons or an RLE dict, but this is the path of a mask file, '
                         f'{shorten(segmentation)}. `mmris convert_dataset csv` makes REFER files of a CSV '
                         f'with the columns image, mask and sentence')
    if not isinstance(segmentation, (list, tuple)):
        raise ValueError(f'a segmentation is a list of polygons or an RLE dict, but this is {shorten(segmentation)}')
    if not segmentation:
        raise ValueError('a segmentation is a list of polygons or an RLE dict, but this list is empty')
    if isinstance(segmentation[0], (int, float)) and not isinstance(segmentation[0], bool):
        raise ValueError(f'a segmentation is a list of polygons, but this is a single one without the outer list: '
                         f'write [{shorten(segmentation)}]')


def _is_short(polygon: Sequence[Any]) -> bool:
    return len(polygon) < 6


def _describe_point_counts(polygons: Sequence[Sequence[Any]]) -> str:
    return f'this has {len(polygons[0]) // 2}' if len(polygons) == 1 else f'none of these {len(polygons)} has as many'


def _are_finite(numbers: Sequence[Any]) -> bool:
    try:
        return all(map(math.isfinite, numbers))
    except (TypeError, OverflowError):
        return False


def _check_bounds(polygons: Sequence[Sequence[float]], height: int, width: int) -> None:
    """Check that outlines are of this image: pycocotools takes memory for each pixel of their length."""
    for polygon in polygons:
        for name, numbers, size, side in (('x', polygon[::2], width, 'wide'), ('y', polygon[1::2], height, 'high')):
            low, high = min(numbers), max(numbers)
            if low < -size or high > 2 * size:
                raise ValueError(
                    f'a polygon reaches to {name} = {high if high > 2 * size else low:g}, but the image is {size} '
                    f'pixels {side}: coordinates are pixels of this image, not of a larger one')
    limit = min(4 * height * width + 16 * (height + width), _LONGEST_OUTLINE)
    # Far more than most have, and found at once.
    if 3 * max(height, width) * sum(len(polygon) // 2 for polygon in polygons) <= limit:
        return
    length = sum(_outline_length(polygon) for polygon in polygons)
    if length > limit:
        raise ValueError(f'its outlines are {length:,.0f} pixels long, and no more than {limit:,} are expected on an '
                         f'image of {height} x {width} pixels')


def _outline_length(polygon: Sequence[float]) -> float:
    points = np.asarray(polygon, dtype=np.float64).reshape(-1, 2)
    return float(np.abs(points - np.roll(points, 1, axis=0)).max(axis=1).sum())


def _check_rle(segmentation: dict, height: int, width: int) -> None:
    lacking = [key for key in ('size', 'counts') if segmentation.get(key) is None]
    if lacking:
        raise ValueError(f'an RLE needs size and counts, but this one lacks {" and ".join(lacking)}')
    size, counts = segmentation['size'], segmentation['counts']
    if not isinstance(size, (list, tuple)) or [read_whole_number(one) for one in size] != [height, width]:
        told = ' x '.join(map(shorten, size[:3])) if isinstance(size, (list, tuple)) else shorten(size)
        raise ValueError(f'its size is {told}, the image\'s {height} x {width} (height x width)')
    if isinstance(counts, (str, bytes, list, tuple)) and not counts:
        raise ValueError('its counts are empty')
    if isinstance(counts, (str, bytes)):
        lengths = _run_lengths(counts)
    elif isinstance(counts, (list, tuple)):
        lengths = [read_whole_number(one) for one in counts]
        lengths = None if None in lengths else lengths
    else:
        lengths = None
    if lengths is None or min(lengths) < 0:
        raise ValueError(f'counts of an RLE are integers of at least 0, but these are {shorten(counts)}')
    if sum(lengths) != height * width:
        raise ValueError(f'an RLE of {height} x {width} pixels needs counts of that sum, not {sum(lengths)}')


def _run_lengths(counts: Union[str, bytes]) -> Optional[List[int]]:
    """Run lengths of COCO's compressed counts: five bits a character, then a sixth that tells of more; from the
    fourth on, differences to the one before the last. None if the last one is not whole, or one is too long for any."""
    if isinstance(counts, str):
        # Any letter beyond ASCII is out of range, as 0xff is.
        counts = counts.encode('ascii') if counts.isascii() else b'\xff'
    codes = np.frombuffer(counts, np.uint8).astype(np.int64) - 48
    if codes.min() < 0 or codes.max() > 63:
        return None
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


def segmentation_extent(segmentation: Segmentation, height: int, width: int) -> Optional[Tuple[int, int, int, int]]:
    """Find the smallest box around a mask, without decoding it.

    Args:
        segmentation (list or dict): See :func:`decode_segmentation`.
        height (int): Height of the image in pixels.
        width (int): Width of the image in pixels.

    Returns:
        tuple[int, int, int, int], optional: Left, top, width and height in pixels. None if the mask covers no pixel.

    Raises:
        ValueError: See :func:`check_segmentation`.
    """
    lengths = np.asarray(_run_lengths(_merge(_to_rles(segmentation, height, width))['counts']))
    ends = np.cumsum(lengths)[1::2]
    starts, ends = ends - lengths[1::2], ends - 1
    starts, ends = starts[starts <= ends], ends[starts <= ends]
    if not len(starts):
        return None
    columns = starts // height, ends // height
    # A run that goes on in the next column covers both ends of its columns.
    whole = columns[0] != columns[1]
    top = int(np.where(whole, 0, starts % height).min())
    bottom = int(np.where(whole, height - 1, ends % height).max())
    left, right = int(columns[0].min()), int(columns[1].max())
    return left, top, right - left + 1, bottom - top + 1


def _to_rles(segmentation: Segmentation, height: int, width: int) -> List[dict]:
    """Check a segmentation, and bring its parts to the form that pycocotools takes."""
    check_segmentation(segmentation, height, width)
    parts = [segmentation] if isinstance(segmentation, dict) else segmentation
    polygons = [list(part) for part in parts if not isinstance(part, dict) and not _is_short(part)]
    rles = [_compress(part, height, width) for part in parts if isinstance(part, dict)]
    if polygons:
        rles += coco_mask.frPyObjects(polygons, height, width)
    return rles


def _decode_union(rles: List[dict], out: np.ndarray) -> None:
    """Decode at least one RLE of pycocotools to their union."""
    # Merging is a union; adding polygons up, as the original reader does, drops or doubles where they overlap.
    lengths = _run_lengths(_merge(rles)['counts'])
    # Runs of 0 and of 1 take turns, column after column. pycocotools writes pixel by pixel, which takes longer.
    values = np.arange(len(lengths)) % 2
    columns = np.repeat(values.astype(np.uint8), lengths).reshape(out.shape[::-1])
    # Masks are read by rows from here on. OpenCV transposes five times as fast as NumPy.
    cv2.transpose(columns, dst=out)


def _merge(rles: List[dict]) -> dict:
    """The union of at least one RLE. One after the other would take the square of their number in time."""
    while len(rles) > 1:
        rles = [coco_mask.merge(rles[start:start + 16]) for start in range(0, len(rles), 16)]
    return rles[0]


def _compress(rle: dict, height: int, width: int) -> dict:
    """An RLE as pycocotools takes it: with its counts as bytes."""
    counts = rle['counts']
    if isinstance(counts, (list, tuple)):
        return coco_mask.frPyObjects(dict(size=[height, width], counts=[int(one) for one in counts]), height, width)
    return dict(size=[height, width], counts=counts.encode('ascii') if isinstance(counts, str) else counts)


def union_of_segmentations(segmentations: Sequence[Segmentation],
                           height: int,
                           width: int,
                           out: Optional[np.ndarray] = None) -> np.ndarray:
    """Decode the segmentations of one target and unite them; no segmentation is an empty target.

    Args:
        segmentations (Sequence[list or dict]): See :func:`decode_segmentation`, as for the others.

    Returns:
        ndarray: ``(height, width)`` uint8 of 0 and 1.

    Raises:
        ValueError: See :func:`decode_segmentation`.
    """
    rles = [rle for segmentation in segmentations for rle in _to_rles(segmentation, height, width)]
    if out is None:
        out = np.empty((height, width), dtype=np.uint8)
    if rles:
        _decode_union(rles, out)
    else:
        out[...] = 0
    return out
