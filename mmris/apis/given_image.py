"""Images on their way into a model."""

from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence

import numpy as np
import torch

from mmris.datasets.transforms.formatting import image_tensor
from mmris.models.data_preprocessor import ReferringDataPreprocessor
from mmris.structures import ImageInputs

from .images import check_instance_masks


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


def batch_prepared(prepared: Sequence[Dict[str, Any]], preprocessor: ReferringDataPreprocessor) -> ImageInputs:
    """Line up what a pipeline made of images, on the device of the model.

    Args:
        prepared (Sequence[dict]): Of B images, with ``img`` and ``image_box``, and with ``views`` and
            ``instance_input`` for models that take these.
        preprocessor (ReferringDataPreprocessor): Of the model.

    Returns:
        ImageInputs: B rows.

    Raises:
        ValueError: See :meth:`ReferringDataPreprocessor.batch_images`.
    """
    device = preprocessor.device

    def tensors(images: Sequence[Dict[str, Any]]) -> List[torch.Tensor]:
        return [image_tensor(image['img']).to(device) for image in images]

    views = {}
    for name in prepared[0].get('views', {}):
        own = [image['views'][name] for image in prepared]
        views[name] = tensors(own), [view['image_box'] for view in own]
    found = None
    if 'instance_input' in prepared[0]:
        found = [torch.from_numpy(image['instance_input']).to(device) for image in prepared]
    return preprocessor.batch_images(tensors(prepared), [image['image_box'] for image in prepared], found, views)
