"""From original pixels to a fixed input size, by a map whose inverse is exact."""

from abc import abstractmethod
from typing import Sequence, Tuple, Union

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from mmris.protocols.geometry import cris_affine, cris_matrices, letterbox_affine, stretch_affine, to_opencv
from mmris.registry import TRANSFORMS

CLIP_MEAN = (122.7709383, 116.7460125, 104.09373615)


class AffineTransform(BaseTransform):
    """Warps image and masks by a scale and a shift.

    The map is kept in continuous coordinates, in which the first pixel reaches from 0 to 1, so that its inverse needs
    no rounding. The image is warped by cubic, masks by linear interpolation.

    Required keys: ``img``; ``gt_original``, ``instance_masks`` where they shall be warped too. Changed: ``img``.
    Added: ``affine``, ``(2, 3)`` float64 from original to input; ``image_box``; ``img_shape``; ``gt_input``,
    ``(S, H, W)`` float32 in [0, 1], where there is ``gt_original``; ``instance_input``, ``(K, H, W)`` bool, true where
    at least half is covered, where there is ``instance_masks``.

    Of a view that is not the main one nothing is changed but ``views``, where it is added by its name: its ``img`` and
    its ``image_box``. It is made of the stored pixels, so that its step stands before that of the main view.

    Args:
        size (int or tuple[int, int]): Height and width of the input in pixels; one number for a square.
        view (str): Name of the view that is made. Default: ``'main'``.

    Raises:
        ValueError: If ``size`` is not positive.
    """

    def __init__(self, *, size: Union[int, Sequence[int]], view: str = 'main') -> None:
        self.view = view
        self.size = (size, size) if isinstance(size, int) else tuple(size)
        if len(self.size) != 2 or min(self.size) < 1:
            raise ValueError(f'size of {type(self).__name__} is a height and a width in pixels, but got {size}.')

    @abstractmethod
    def affine(self, height: int, width: int) -> np.ndarray:
        """The ``(2, 3)`` map of an image of that height and width to the input."""

    def opencv_matrix(self, image: np.ndarray, affine: np.ndarray) -> np.ndarray:
        """The map as OpenCV's functions take it."""
        return to_opencv(affine)

    @property
    def border(self) -> Tuple[float, ...]:
        """Colour of what the image does not fill."""
        return 0.0, 0.0, 0.0

    def transform(self, results: dict) -> dict:
        """Warp.

        Raises:
            ValueError: If the main view was made before another one.
        """
        if 'affine' in results:
            raise ValueError(f'{type(self).__name__} is to make the view {self.view}, but the main view has taken the '
                             f'place of the stored pixels: put the step before that of the main view.')
        height, width = results['img'].shape[:2]
        affine = self.affine(height, width)
        limits = self.size[::-1]
        (x0, y0), (x1, y1) = np.clip((affine[:, 2], affine[:, :2] @ (width, height) + affine[:, 2]), 0, limits)
        box = (float(x0), float(y0), float(x1), float(y1))
        image = self.warp(results['img'], affine, cv2.INTER_CUBIC, self.border)
        if self.view != 'main':
            results.setdefault('views', {})[self.view] = dict(img=image, image_box=box)
            return results
        results.update(img=image, image_box=box, affine=affine, img_shape=self.size)
        if 'gt_original' in results:
            results['gt_input'] = self.warp_masks(results['gt_original'], affine).astype(np.float32) / 255
        if 'instance_masks' in results:
            results['instance_input'] = self.warp_masks(results['instance_masks'], affine) >= 127.5
        return results

    def warp_masks(self, masks: np.ndarray, affine: np.ndarray) -> np.ndarray:
        """Warp masks: ``(N, H0, W0)`` of 0 and 1 to ``(N, H, W)`` of 0 to 255, uint8; N may be 0."""
        warped = np.zeros((len(masks), *self.size), dtype=np.uint8)
        for one, mask in zip(warped, masks):
            one[...] = self.warp(mask * 255, affine, cv2.INTER_LINEAR, (0, ))
        return warped

    def warp(self, image: np.ndarray, affine: np.ndarray, interpolation: int, border: Sequence[float]) -> np.ndarray:
        """Warp one image by a map in continuous coordinates."""
        return cv2.warpAffine(
            image,
            self.opencv_matrix(image, affine),
            self.size[::-1],
            flags=interpolation,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=tuple(border))


@TRANSFORMS.register_module()
class Letterbox(AffineTransform):
    """Scales the image to fit, keeping its proportions, and centres it on a border of the mean colour (as CRIS).

    Args:
        size (int or tuple[int, int]): Height and width of the input in pixels; one number for a square.
        border_colour (Sequence[float]): Red, green, blue in 0 to 255. Defaults to CLIP's mean.
        view (str): Name of the view that is made. Default: ``'main'``.

    Raises:
        ValueError: If ``size`` is not positive.
    """

    def __init__(self,
                 *,
                 size: Union[int, Sequence[int]],
                 border_colour: Sequence[float] = CLIP_MEAN,
                 view: str = 'main') -> None:
        super().__init__(size=size, view=view)
        self.border_colour = tuple(border_colour)

    @property
    def border(self) -> Tuple[float, ...]:
        return self.border_colour

    def affine(self, height: int, width: int) -> np.ndarray:
        return letterbox_affine((height, width), self.size)


@TRANSFORMS.register_module()
class CRISWarp(Letterbox):
    """Letterboxes as the published code of CRIS does, to the last bit: ``protocol='cris'`` needs it.

    The picture lies half of (1 - scale) pixels beside that of :class:`Letterbox`
    (:func:`~mmris.protocols.geometry.cris_matrices`). The border is CLIP's mean colour.

    Args:
        size (int or tuple[int, int]): Height and width of the input in pixels; one number for a square.
        view (str): Name of the view that is made. Default: ``'main'``.

    Raises:
        ValueError: If ``size`` is not positive.
    """

    def __init__(self, *, size: Union[int, Sequence[int]], view: str = 'main') -> None:
        super().__init__(size=size, view=view)

    def affine(self, height: int, width: int) -> np.ndarray:
        return cris_affine((height, width), self.size)

    def opencv_matrix(self, image: np.ndarray, affine: np.ndarray) -> np.ndarray:
        return cris_matrices(image.shape[:2], self.size)[0]


@TRANSFORMS.register_module()
class Resize(AffineTransform):
    """Scales the image to fill the input, whatever its proportions.

    Args:
        size (int or tuple[int, int]): Height and width of the input in pixels; one number for a square.
        view (str): Name of the view that is made. Default: ``'main'``.

    Raises:
        ValueError: If ``size`` is not positive.
    """

    def affine(self, height: int, width: int) -> np.ndarray:
        return stretch_affine((height, width), self.size)

    def warp(self, image: np.ndarray, affine: np.ndarray, interpolation: int, border: Sequence[float]) -> np.ndarray:
        # Unlike a warp, a resize repeats the outermost pixels, so that no border shines in.
        return cv2.resize(image, self.size[::-1], interpolation=interpolation)
