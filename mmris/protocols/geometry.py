"""Maps from original to input pixels, by sizes alone.

Each takes the image's and the input's ``(height, width)`` in pixels. Coordinates are continuous unless a function says
otherwise: the first pixel reaches from 0 to 1, so its centre is at 0.5. OpenCV's are of pixel centres: its 0 is 0.5.
"""

from typing import Optional, Tuple

import cv2
import numpy as np
from PIL import Image

Size = Tuple[int, int]


def letterbox_box(original_size: Size, input_size: Size) -> Tuple[int, int, int, int]:
    """Scale to fit, keep the proportions, centre: the rectangle of whole pixels that the image fills.

    Each side is rounded to at least 1 pixel and at most the input's side, so the two scales may differ by rounding.

    Returns:
        tuple[int, int, int, int]: ``x0, y0, x1, y1`` in the input.
    """
    (height, width), (input_height, input_width) = original_size, input_size
    scale = min(input_height / height, input_width / width)
    inner_height = min(max(1, round(height * scale)), input_height)
    inner_width = min(max(1, round(width * scale)), input_width)
    x0, y0 = (input_width - inner_width) // 2, (input_height - inner_height) // 2
    return x0, y0, x0 + inner_width, y0 + inner_height


def letterbox_affine(original_size: Size, input_size: Size) -> np.ndarray:
    """The map of the image to its :func:`letterbox_box`: ``(2, 3)`` float64."""
    (height, width), (x0, y0, x1, y1) = original_size, letterbox_box(original_size, input_size)
    return np.array([[(x1 - x0) / width, 0, x0], [0, (y1 - y0) / height, y0]], dtype=np.float64)


def stretch_affine(original_size: Size, input_size: Size) -> np.ndarray:
    """Scale to fill, whatever the proportions: ``(2, 3)`` float64."""
    scale_y, scale_x = input_size[0] / original_size[0], input_size[1] / original_size[1]
    return np.array([[scale_x, 0, 0], [0, scale_y, 0]], dtype=np.float64)


def longest_side_size(original_size: Size, input_size: Size) -> Size:
    """Scale to fit, keep the proportions: the height and width in whole pixels that SAM's code gives the image.

    Each side is rounded to at least 1 pixel and at most the input's side, so the two scales may differ by rounding.

    Returns:
        tuple[int, int]: Height and width of the image in the input, whose top left corner it fills.
    """
    scale = min(limit * 1.0 / side for limit, side in zip(input_size, original_size))
    # In the published code's order: a half is rounded up after a product that is itself rounded.
    height, width = (
        min(max(1, int(side * scale + 0.5)), limit) for side, limit in zip(original_size, input_size))
    return height, width


def longest_side_affine(original_size: Size, input_size: Size) -> np.ndarray:
    """The map of the image to the top left corner of the input, :func:`longest_side_size` large: ``(2, 3)`` float64."""
    return stretch_affine(original_size, longest_side_size(original_size, input_size))


def cris_matrices(original_size: Size, input_size: Size) -> Tuple[np.ndarray, np.ndarray]:
    """CRIS's letterbox, and its inverse, as OpenCV's functions take them.

    As the published code does, corners in float32 are given to ``cv2.getAffineTransform``. It takes corners of the
    image for centres of pixels, which shifts the picture by half of (1 - scale) pixels against
    :func:`letterbox_affine`.

    Returns:
        tuple[ndarray, ndarray]: From original to input and back, each ``(2, 3)`` float64 in OpenCV's coordinates.
    """
    (height, width), (input_height, input_width) = original_size, input_size
    scale = min(input_height / height, input_width / width)
    new_height, new_width = height * scale, width * scale
    x, y = (input_width - new_width) / 2, (input_height - new_height) / 2
    original = np.array([[0, 0], [width, 0], [0, height]], dtype=np.float32)
    placed = np.array([[x, y], [new_width + x, y], [x, new_height + y]], dtype=np.float32)
    return cv2.getAffineTransform(original, placed), cv2.getAffineTransform(placed, original)


def cris_affine(original_size: Size, input_size: Size) -> np.ndarray:
    """CRIS's letterbox in continuous coordinates: ``(2, 3)`` float64."""
    affine = cris_matrices(original_size, input_size)[0]
    affine[:, 2] += 0.5 - 0.5 * affine[:, :2].sum(axis=1)
    return affine


def to_opencv(affine: np.ndarray) -> np.ndarray:
    """Bring a map of continuous coordinates to OpenCV's: ``(2, 3)`` float64."""
    matrix = affine.astype(np.float64)
    matrix[:, 2] += 0.5 * affine[:, :2].sum(axis=1) - 0.5
    return matrix


def same_map(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two ``(2, 3)`` maps differ by no more than rounding: CRIS computes its own in float32."""
    return np.allclose(one, other, rtol=0, atol=1e-3)


def whole_pixels(affine: np.ndarray, original_size: Size) -> Optional[Tuple[int, int, int, int]]:
    """The rectangle of the input that an image fills, if that is whole pixels: ``x0, y0, x1, y1``. Otherwise None.

    Args:
        affine (ndarray): ``(2, 3)``, the map from original to input coordinates.
        original_size (tuple[int, int]): Height and width of the image in pixels.
    """
    height, width = original_size
    corners = np.concatenate((affine[:, 2], affine[:, :2] @ (width, height) + affine[:, 2]))
    x0, y0, x1, y1 = (int(corner) for corner in np.rint(corners))
    fits = np.allclose(corners, (x0, y0, x1, y1), rtol=0, atol=1e-3) and min(x0, y0) >= 0
    return (x0, y0, x1, y1) if fits else None


def nearest_pixels(original: int, count: int) -> np.ndarray:
    """Find which pixels Pillow's nearest resize reads along an axis.

    Pillow itself says it: where a centre lies between two pixels, its rounding decides.

    Args:
        original (int): Pixels of the image along the axis.
        count (int): Pixels of the resized image along the axis.

    Returns:
        ndarray: ``(count,)`` int64, in 0 to ``original - 1``.
    """
    row = Image.fromarray(np.arange(original, dtype=np.int32)[None])
    return np.asarray(row.resize((count, 1), Image.Resampling.NEAREST), dtype=np.int64)[0]
