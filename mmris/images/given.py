"""An image that was read."""

import os
from dataclasses import dataclass
from typing import Any, Dict, Optional

import numpy as np

from .reading import AnyImage, check_instance_masks, read_image


@dataclass(frozen=True, eq=False, repr=False)
class GivenImage:
    """An image that was read, and is not yet encoded.

    Attributes:
        pixels (ndarray): ``(H0, W0, 3)`` uint8 RGB, upright.
        path (str, optional): Its file. None if the image was given as something else.
        instance_masks (ndarray, optional): ``(K, H0, W0)`` uint8 of 0 and 1, or None.
    """

    pixels: np.ndarray
    path: Optional[str]
    instance_masks: Optional[np.ndarray]

    @classmethod
    def read(cls, image: AnyImage, instance_masks: Optional[np.ndarray], takes_instance_masks: bool) -> 'GivenImage':
        """Read an image: see :meth:`~mmris.apis.Predictor.read`.

        Args:
            image, instance_masks: As there.
            takes_instance_masks (bool): Whether the model takes them.
        """
        path = os.fsdecode(image) if isinstance(image, (str, os.PathLike)) else None
        if instance_masks is not None and not takes_instance_masks:
            raise ValueError('The model takes no instance masks in. Leave them out, or use a config whose model does, '
                             'such as those of configs/mail.')
        pixels = read_image(image)
        if instance_masks is not None:
            instance_masks = check_instance_masks(instance_masks, pixels.shape[:2])
        return cls(pixels, path, instance_masks)

    def to_pipeline(self, takes_instance_masks: bool) -> Dict[str, Any]:
        """What a test pipeline takes after its loading steps.

        Args:
            takes_instance_masks (bool): Whether the model takes them: without any, none were found.
        """
        size = self.pixels.shape[:2]
        given = dict(img=self.pixels, ori_shape=size, img_shape=size)
        if takes_instance_masks:
            given['instance_masks'] = check_instance_masks(self.instance_masks, size)
        return given
