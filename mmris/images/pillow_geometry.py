"""Geometries of SAM's published codes, which resize by Pillow."""

from typing import Sequence, Tuple, Union

import cv2
import numpy as np
from PIL import Image

from mmris.protocols.geometry import longest_side_affine, longest_side_size, stretch_affine

from .geometry import InputGeometry


def resize_by_pillow(image: np.ndarray,
                     size: Tuple[int, int],
                     resampling: Image.Resampling = Image.Resampling.BILINEAR) -> Image.Image:
    """Resize by Pillow.

    Args:
        image (ndarray): ``(H0, W0, 3)`` or ``(H0, W0)`` uint8.
        size (tuple[int, int]): Height and width in pixels.
        resampling (Image.Resampling): Default: bilinear, which in Pillow reads all pixels when it shrinks.

    Returns:
        Image: The image of that size.
    """
    return Image.fromarray(image).resize(size[::-1], resampling)


class ResizeLongestSide(InputGeometry):
    """Scales the image to fit, keeping its proportions, and puts it top left, as SAM's published code does.

    Image and masks are interpolated by Pillow (bilinear, which reads all pixels when it shrinks). The image fills
    whole pixels (:func:`~mmris.protocols.geometry.longest_side_size`), and the rest is black. SAM wants that rest to be
    0 *after* normalisation: set ``zero_border=True`` in ``model.data_preprocessor``.

    Args:
        size (int or tuple[int, int]): Height and width of the input in pixels; one number for a square.

    Raises:
        ValueError: If ``size`` is not positive.
    """

    def affine(self, height: int, width: int) -> np.ndarray:
        return longest_side_affine((height, width), self.size)

    def image_box(self, height: int, width: int) -> Tuple[float, float, float, float]:
        y1, x1 = longest_side_size((height, width), self.size)
        return 0.0, 0.0, float(x1), float(y1)

    def place(self, image: np.ndarray, interpolation: int, border: Sequence[float], out: np.ndarray) -> None:
        y1, x1 = longest_side_size(image.shape[:2], self.size)
        out[:y1, :x1] = resize_by_pillow(image, (y1, x1))
        out[y1:] = 0
        out[:y1, x1:] = 0


class PillowResize(InputGeometry):
    """Scales the image to fill the input, whatever its proportions, as the published codes of EVF-SAM (multitask, for
    SAM 2) and of LAVT do.

    Image and masks are interpolated by Pillow (bilinear, which reads all pixels when it shrinks).

    Args:
        size (int or tuple[int, int]): Height and width of the input in pixels; one number for a square.
        nearest_masks (bool): Take for each pixel of a mask the nearest one, as LAVT's code does, so that masks stay 0
            and 255. Default: False, masks are interpolated as the image is.

    Raises:
        ValueError: If ``size`` is not positive.
    """

    def __init__(self, *, size: Union[int, Sequence[int]], nearest_masks: bool = False) -> None:
        super().__init__(size=size)
        self.nearest_masks = nearest_masks

    def affine(self, height: int, width: int) -> np.ndarray:
        return stretch_affine((height, width), self.size)

    def place(self, image: np.ndarray, interpolation: int, border: Sequence[float], out: np.ndarray) -> None:
        nearest = self.nearest_masks and image.ndim == 2
        out[...] = resize_by_pillow(
            image, self.size, Image.Resampling.NEAREST if nearest else Image.Resampling.BILINEAR)


class LongestSideThenStretch(InputGeometry):
    """Scales the image to fit, and then stretches it to fill the input, as EVF-SAM's plain code for SAM 2 does.

    Image and masks are interpolated by Pillow, which rounds to whole grey levels (:class:`ResizeLongestSide`), and
    then bilinearly by OpenCV, which gives what torch gives the published code. The image is given on as float32, with
    the fractions of the second interpolation.

    Args:
        size (int or tuple[int, int]): Height and width of the input in pixels; one number for a square.

    Raises:
        ValueError: If ``size`` is not positive.
    """

    dtype = np.float32

    def affine(self, height: int, width: int) -> np.ndarray:
        return stretch_affine((height, width), self.size)

    def place(self, image: np.ndarray, interpolation: int, border: Sequence[float], out: np.ndarray) -> None:
        fitted = np.asarray(resize_by_pillow(image, longest_side_size(image.shape[:2], self.size)), dtype=np.float32)
        values = cv2.resize(fitted, self.size[::-1], interpolation=cv2.INTER_LINEAR)
        out[...] = values if out.dtype == np.float32 else np.rint(values)
