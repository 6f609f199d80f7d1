"""From original pixels to a fixed input size, by a map whose inverse is exact.

Classes of the same names in :mod:`mmris.datasets.transforms` are these as steps of a pipeline.
"""

from abc import ABC, abstractmethod
from typing import Optional, Sequence, Tuple, Union

import cv2
import numpy as np

from mmris.protocols.geometry import cris_affine, cris_matrices, letterbox_affine, letterbox_box, stretch_affine

CLIP_MEAN = (122.7709383, 116.7460125, 104.09373615)


class InputGeometry(ABC):
    """How images and masks of any size come to the input's size: by a scale and a shift.

    The map is in continuous coordinates, in which the first pixel reaches from 0 to 1, so that its inverse needs no
    rounding. The image is interpolated cubically unless a class says otherwise, masks are interpolated linearly.

    Args:
        size (int or tuple[int, int]): Height and width of the input in pixels; one number for a square.

    Attributes:
        dtype (type, optional): The dtype in which images are given on. None: as they are stored, uint8. float32 keeps
            fractions, and what an interpolation shoots over 0 to 255.

    Raises:
        ValueError: If ``size`` is not positive.
    """

    dtype: Optional[type] = None

    def __init__(self, *, size: Union[int, Sequence[int]]) -> None:
        self.size = (size, size) if isinstance(size, int) else tuple(size)
        if len(self.size) != 2 or min(self.size) < 1:
            raise ValueError(f'size of {type(self).__name__} is a height and a width in pixels, but got {size}.')

    @abstractmethod
    def affine(self, height: int, width: int) -> np.ndarray:
        """The ``(2, 3)`` map of an image of that height and width to the input."""

    @abstractmethod
    def place(self, image: np.ndarray, interpolation: int, border: Sequence[float], out: np.ndarray) -> None:
        """Bring one image or mask to the input.

        Args:
            image (ndarray): ``(H0, W0, C)`` uint8; or, for a mask, ``(H0, W0)`` uint8.
            interpolation (int): OpenCV's number of an interpolation.
            border (Sequence[float]): The C values of pixels that the image does not fill, in 0 to 255.
            out (ndarray): ``(H, W, C)``, of :attr:`dtype` or the image's; or, for a mask, ``(H, W)`` uint8. To write
                to; before, its values are arbitrary.
        """

    def image_box(self, height: int, width: int) -> Tuple[float, float, float, float]:
        """The rectangle of the input that an image of that height and width fills: ``x0, y0, x1, y1``."""
        affine, limits = self.affine(height, width), self.size[::-1]
        (x0, y0), (x1, y1) = np.clip((affine[:, 2], affine[:, :2] @ (width, height) + affine[:, 2]), 0, limits)
        return float(x0), float(y0), float(x1), float(y1)

    def image_interpolation(self, height: int, width: int) -> int:
        """OpenCV's number of the interpolation of an image of that height and width."""
        return cv2.INTER_CUBIC

    @property
    def border(self) -> Tuple[float, ...]:
        """Colour of what the image does not fill."""
        return 0.0, 0.0, 0.0

    def place_image(self, image: np.ndarray) -> np.ndarray:
        """Bring an image to the input.

        Args:
            image (ndarray): ``(H0, W0, 3)`` uint8 RGB.

        Returns:
            ndarray: ``(H, W, 3)`` uint8, or :attr:`dtype`.
        """
        placed = np.empty((*self.size, *image.shape[2:]), dtype=self.dtype or image.dtype)
        self.place(image, self.image_interpolation(*image.shape[:2]), self.border, out=placed)
        return placed

    def place_masks(self, masks: np.ndarray) -> np.ndarray:
        """Bring masks to the input: ``(N, H0, W0)`` of 0 and 1 to ``(N, H, W)`` of 0 to 255, uint8; N may be 0."""
        placed = np.empty((len(masks), *self.size), dtype=np.uint8)
        for mask, out in zip(masks, placed):
            self.place(mask * 255, cv2.INTER_LINEAR, (0, ), out=out)
        return placed


class Letterbox(InputGeometry):
    """Scales the image to fit, keeping its proportions, and centres it on a border of one colour.

    The image fills whole pixels (:func:`~mmris.protocols.geometry.letterbox_box`).

    Args:
        size (int or tuple[int, int]): Height and width of the input in pixels; one number for a square.
        border_colour (Sequence[float]): Red, green, blue in 0 to 255. Default: CLIP's mean.

    Raises:
        ValueError: If ``size`` is not positive.
    """

    def __init__(self, *, size: Union[int, Sequence[int]], border_colour: Sequence[float] = CLIP_MEAN) -> None:
        super().__init__(size=size)
        self.border_colour = tuple(border_colour)

    @property
    def border(self) -> Tuple[float, ...]:
        return self.border_colour

    def affine(self, height: int, width: int) -> np.ndarray:
        return letterbox_affine((height, width), self.size)

    def image_box(self, height: int, width: int) -> Tuple[float, float, float, float]:
        x0, y0, x1, y1 = letterbox_box((height, width), self.size)
        return float(x0), float(y0), float(x1), float(y1)

    def image_interpolation(self, height: int, width: int) -> int:
        # PSNR in dB against Pillow's Lanczos, which reads all pixels, of 110 of COCO's photographs at some scales:
        #            0.9  0.75  0.65  0.45  0.25
        #   cubic     44    38    35    30    26
        #   linear    38    39    37    32    29
        #   area      38    39    39    39    38
        # Cubic is the rule, since the papers' weights are trained on it. It costs as much as linear, and when images
        # are enlarged, it is 0.5 to 0.8 dB better. Below a half it reads too few pixels, and fine patterns turn into
        # noise, so the mean of the area is taken there, which is 1 ms slower for an image of 640 x 480 pixels.
        small = 2 * self.size[0] < height or 2 * self.size[1] < width
        return cv2.INTER_AREA if small else cv2.INTER_CUBIC

    def place(self, image: np.ndarray, interpolation: int, border: Sequence[float], out: np.ndarray) -> None:
        x0, y0, x1, y1 = letterbox_box(image.shape[:2], self.size)
        # A resize maps corners to corners. It repeats the outermost pixels, so the border does not bleed into them.
        cv2.resize(image, (x1 - x0, y1 - y0), dst=out[y0:y1, x0:x1], interpolation=interpolation)
        # By rows: NumPy takes many times as long to fill pixel by pixel.
        row = np.empty_like(out[0])
        row[...] = np.rint(border)
        out[:y0] = out[y1:] = row
        out[y0:y1, :x0], out[y0:y1, x1:] = row[:x0], row[x1:]


class CRISWarp(InputGeometry):
    """Letterboxes as the published code of CRIS does, to the last bit: ``protocol='cris'`` needs it.

    The picture lies half of (1 - scale) pixels beside that of :class:`Letterbox`
    (:func:`~mmris.protocols.geometry.cris_matrices`), which also rounds to whole pixels. The border is CLIP's mean
    colour.

    Args:
        size (int or tuple[int, int]): Height and width of the input in pixels; one number for a square.

    Raises:
        ValueError: If ``size`` is not positive.
    """

    @property
    def border(self) -> Tuple[float, ...]:
        return CLIP_MEAN

    def affine(self, height: int, width: int) -> np.ndarray:
        return cris_affine((height, width), self.size)

    def place(self, image: np.ndarray, interpolation: int, border: Sequence[float], out: np.ndarray) -> None:
        cv2.warpAffine(
            image,
            cris_matrices(image.shape[:2], self.size)[0],
            self.size[::-1],
            dst=out,
            flags=interpolation,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=tuple(border))


class Resize(InputGeometry):
    """Scales the image to fill the input, whatever its proportions.

    Args:
        size (int or tuple[int, int]): Height and width of the input in pixels; one number for a square.
        keep_overshoot (bool): Interpolate and give on the image as float32, with what a cubic interpolation shoots
            over 0 to 255, as a bicubic ``torch.nn.functional.interpolate`` of floats does. Default: False, as
            stored: uint8.

    Raises:
        ValueError: If ``size`` is not positive.
    """

    def __init__(self, *, size: Union[int, Sequence[int]], keep_overshoot: bool = False) -> None:
        super().__init__(size=size)
        self.dtype = np.float32 if keep_overshoot else None

    def affine(self, height: int, width: int) -> np.ndarray:
        return stretch_affine((height, width), self.size)

    def place(self, image: np.ndarray, interpolation: int, border: Sequence[float], out: np.ndarray) -> None:
        cv2.resize(image.astype(out.dtype, copy=False), self.size[::-1], dst=out, interpolation=interpolation)
