"""The ways back from the model's grid to original pixels, in NumPy: what the runtime without torch computes.

They are those of :mod:`~mmris.protocols.torch_ways_back`, with ndarrays in place of Tensors, and differ by rounding. A
map only scales and shifts, so rows and columns are interpolated one after the other.
"""

from typing import List, NamedTuple

import numpy as np

from .cris import warp_as_cris
from .geometry import Size, same_map, stretch_affine, whole_pixels
from .resampling import ABOVE_HALF, SHARED_RIS_THRESHOLD

# The cubic kernel's parameter, as torch and OpenCV have it.
_CUBIC = np.float32(-0.75)


class _Taps(NamedTuple):
    """What n samples along an axis read.

    Attributes:
        places (list[ndarray]): Of each of the kernel's taps, ``(n, )`` indices.
        weights (list[ndarray]): Of each of them, ``(n, )`` float32.
    """

    places: List[np.ndarray]
    weights: List[np.ndarray]


def sigmoid(values: np.ndarray) -> np.ndarray:
    """Compute the logistic function, without overflow.

    Args:
        values (ndarray): Logits, float32 of any shape.

    Returns:
        ndarray: float32 of the same shape, in [0, 1].
    """
    small = np.exp(-np.abs(values))
    return np.where(values >= 0, 1, small) / (1 + small)


def _resample_once(values: np.ndarray, affine: np.ndarray, input_size: Size, original_size: Size,
                   nearest: bool = False) -> np.ndarray:
    """Sample the model's grid at the centre of each original pixel."""
    taps = [
        _sample_positions(original_size[axis], affine[1 - axis, 1 - axis], affine[1 - axis, 2], input_size[axis],
                          values.shape[2 + axis], nearest) for axis in (0, 1)
    ]
    return _apply(values[:, 0], *taps)


def _sample_positions(count: int, scale: float, shift: float, length: int, cells: int, nearest: bool) -> _Taps:
    """What the centres of original pixels read of a grid, along one axis. The grid's outermost cells reach on."""
    centre = np.arange(count, dtype=np.float64) + 0.5
    # Rounded as torch's grid_sample does, whose coordinates are float32 in [-1, 1].
    relative = (2 * (centre * scale + shift) / length - 1).astype(np.float32)
    position = np.clip((relative + 1) * np.float32(cells / 2) - np.float32(0.5), 0, cells - 1)
    if nearest:
        return _Taps([np.rint(position).astype(np.intp)], [np.ones(count, np.float32)])
    return _linear(position, cells)


def _linear(position: np.ndarray, cells: int) -> _Taps:
    first = np.floor(position).astype(np.intp)
    after = (position - first).astype(np.float32)
    return _Taps([first, np.minimum(first + 1, cells - 1)], [1 - after, after])


def _scale_linearly(values: np.ndarray, size: Size) -> np.ndarray:
    """Scale maps ``(S, h, w)`` bilinearly, as torch's interpolate does."""

    def taps(count: int, cells: int) -> _Taps:
        step = np.float32(cells / count)
        position = step * (np.arange(count, dtype=np.float32) + np.float32(0.5)) - np.float32(0.5)
        return _linear(np.maximum(position, 0), cells)

    return _apply(values, taps(size[0], values.shape[1]), taps(size[1], values.shape[2]))


def _scale_cubically(values: np.ndarray, size: Size) -> np.ndarray:
    """Scale maps ``(S, h, w)`` bicubically, corners aligned, as torch's interpolate does."""

    def near(distance: np.ndarray) -> np.ndarray:
        return ((_CUBIC + 2) * distance - (_CUBIC + 3)) * distance * distance + 1

    def far(distance: np.ndarray) -> np.ndarray:
        return ((_CUBIC * distance - 5 * _CUBIC) * distance + 8 * _CUBIC) * distance - 4 * _CUBIC

    def taps(count: int, cells: int) -> _Taps:
        step = np.float32((cells - 1) / (count - 1) if count > 1 else 0)
        position = step * np.arange(count, dtype=np.float32)
        first = np.floor(position).astype(np.intp)
        after = position - first.astype(np.float32)
        places = [np.clip(first + offset, 0, cells - 1) for offset in (-1, 0, 1, 2)]
        return _Taps(places, [far(after + 1), near(after), near(1 - after), far(2 - after)])

    return _apply(values, taps(size[0], values.shape[1]), taps(size[1], values.shape[2]))


def _apply(values: np.ndarray, rows: _Taps, columns: _Taps) -> np.ndarray:
    """Interpolate maps ``(S, h, w)`` along both axes: ``(S, H, W)`` float32."""
    # Columns first, while there are few rows: whole rows are copied faster than single pixels.
    return _interpolate(_interpolate(values, columns, axis=2), rows, axis=1)


def _interpolate(values: np.ndarray, taps: _Taps, axis: int) -> np.ndarray:
    total, shape = None, (-1, 1) if axis == 1 else (-1, )
    for place, weight in zip(*taps):
        part = np.take(values, place, axis=axis)
        part *= weight.reshape(shape)
        # In place, since memory is what takes the time.
        total = part if total is None else np.add(total, part, out=total)
    return total


def _resample_probabilities(logits: np.ndarray, affine: np.ndarray, input_size: Size,
                            original_size: Size) -> np.ndarray:
    return _resample_once(sigmoid(logits), affine, input_size, original_size)


def _resample_as_cris(logits: np.ndarray, affine: np.ndarray, input_size: Size, original_size: Size) -> np.ndarray:
    at_input = _scale_cubically(sigmoid(logits)[:, 0], input_size)
    return np.clip(warp_as_cris(at_input, affine, input_size, original_size), 0, 1)


def _threshold_then_resize(logits: np.ndarray, affine: np.ndarray, input_size: Size,
                           original_size: Size) -> np.ndarray:
    above = (sigmoid(logits) > np.float32(SHARED_RIS_THRESHOLD)).astype(np.float32)
    return _resample_once(above, affine, input_size, original_size, nearest=True)


def _resample_logits_twice(logits: np.ndarray, affine: np.ndarray, input_size: Size,
                           original_size: Size) -> np.ndarray:
    at_input = _scale_linearly(logits[:, 0], input_size)
    filled = whole_pixels(affine, original_size)
    if filled is None:
        return _resample_once(at_input[:, None], affine, input_size, original_size)
    x0, y0, x1, y1 = filled
    return _scale_linearly(at_input[:, y0:y1, x0:x1], original_size)


def _resample_logits_once(logits: np.ndarray, affine: np.ndarray, input_size: Size, original_size: Size) -> np.ndarray:
    if same_map(affine, stretch_affine(original_size, input_size)):
        return _scale_linearly(logits[:, 0], original_size)
    return _resample_once(logits, affine, input_size, original_size)


def _sigmoid_above_half(logits: np.ndarray) -> np.ndarray:
    probabilities = sigmoid(logits)
    return np.where(logits > 0, np.maximum(probabilities, np.float32(ABOVE_HALF)), probabilities)


WAYS_BACK = dict(
    bilinear=_resample_probabilities,
    cris=_resample_as_cris,
    shared_ris=_threshold_then_resize,
    evf_sam=lambda *given: _sigmoid_above_half(_resample_logits_twice(*given)),
    evf_sam2=lambda *given: _sigmoid_above_half(_resample_logits_once(*given)))
