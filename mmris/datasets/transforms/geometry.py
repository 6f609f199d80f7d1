"""Steps of a pipeline that bring images and masks to a fixed input size."""

from typing import Any

from mmcv.transforms import BaseTransform

from mmris.images import geometry, pillow_geometry
from mmris.images.geometry import InputGeometry
from mmris.registry import TRANSFORMS


class AffineTransform(BaseTransform, InputGeometry):
    """Brings image and masks to the input's size, by a geometry of :mod:`mmris.images`.

    A step is derived from this class and from its geometry.

    Required keys: ``img``; ``gt_original``, ``instance_masks`` if they shall be brought to the input's size too.
    Changed: ``img``. Added: ``affine``, ``(2, 3)`` float64 from original to input; ``image_box``; ``img_shape``;
    ``gt_input``, ``(S, H, W)`` uint8 from 0 to 255, which is wholly covered, if there is ``gt_original``;
    ``instance_input``, ``(K, H, W)`` bool, true where at least half is covered, if there is ``instance_masks``.

    Of a view that is not the main one nothing is changed but ``views``, where it is added by its name: its ``img`` and
    its ``image_box``. It is made of the stored pixels, so that its step stands before that of the main view.

    Args:
        view (str): Name of the view that is made. Default: ``'main'``.
        **settings: What the geometry takes.

    Raises:
        ValueError: As the geometry.
    """

    def __init__(self, *, view: str = 'main', **settings: Any) -> None:
        super().__init__(**settings)
        self.view = view

    def transform(self, results: dict) -> dict:
        """Bring image and masks to the input.

        Raises:
            ValueError: If the main view was made before another one.
        """
        if 'affine' in results:
            raise ValueError(f'{type(self).__name__} is to make the view {self.view}, but the main view has taken the '
                             f'place of the stored pixels: put the step before that of the main view.')
        stored = results['img']
        height, width = stored.shape[:2]
        image = self.place_image(stored)
        box = self.image_box(height, width)
        if self.view != 'main':
            results.setdefault('views', {})[self.view] = dict(img=image, image_box=box)
            return results
        results.update(img=image, image_box=box, affine=self.affine(height, width), img_shape=self.size)
        if 'gt_original' in results:
            results['gt_input'] = self.place_masks(results['gt_original'])
        if 'instance_masks' in results:
            results['instance_input'] = self.place_masks(results['instance_masks']) >= 128
        return results


@TRANSFORMS.register_module()
class Letterbox(AffineTransform, geometry.Letterbox):
    """The step of :class:`mmris.images.geometry.Letterbox`. It also takes ``view``."""


@TRANSFORMS.register_module()
class CRISWarp(AffineTransform, geometry.CRISWarp):
    """The step of :class:`mmris.images.geometry.CRISWarp`. It also takes ``view``."""


@TRANSFORMS.register_module()
class Resize(AffineTransform, geometry.Resize):
    """The step of :class:`mmris.images.geometry.Resize`. It also takes ``view``."""


@TRANSFORMS.register_module()
class ResizeLongestSide(AffineTransform, pillow_geometry.ResizeLongestSide):
    """The step of :class:`mmris.images.pillow_geometry.ResizeLongestSide`. It also takes ``view``."""


@TRANSFORMS.register_module()
class PillowResize(AffineTransform, pillow_geometry.PillowResize):
    """The step of :class:`mmris.images.pillow_geometry.PillowResize`. It also takes ``view``."""


@TRANSFORMS.register_module()
class LongestSideThenStretch(AffineTransform, pillow_geometry.LongestSideThenStretch):
    """The step of :class:`mmris.images.pillow_geometry.LongestSideThenStretch`. It also takes ``view``."""
