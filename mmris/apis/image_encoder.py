"""From images as people have them to images that a model has encoded."""

from typing import Any, Dict, List, Sequence, Tuple

import torch
from mmengine.dataset import Compose
from mmengine.logging import print_log
from torch import nn

from mmris.datasets.pipeline_steps import STEP_TYPES
from mmris.datasets.transforms.formatting import image_tensor
from mmris.images import GivenImage
from mmris.models.data_preprocessor import ReferringDataPreprocessor
from mmris.structures import ImageInputs
from mmris.utils import type_name

from .encoded_image import EncodedImage, device_and_dtype
from .expected_time import expect_time


class ImageEncoder:
    """Takes images through the part of a model that needs no sentence.

    Args:
        pipeline (Sequence[dict]): The test pipeline of the model's config, which says how images are prepared.
    """

    def __init__(self, pipeline: Sequence[dict]) -> None:
        # All that evaluation does to an image, but for reading files and packing.
        self._prepare = Compose([step for step in pipeline if type_name(step) not in STEP_TYPES.values()])
        self._said_time = False

    def prepare(self, model: nn.Module, given: Sequence[GivenImage]) -> Tuple[List[Dict[str, Any]], ImageInputs]:
        """Prepare images as the test pipeline says.

        Args:
            model (nn.Module): A :class:`~mmris.models.segmentors.ReferringSegmentor`.
            given (Sequence[GivenImage]): B images, at least one.

        Returns:
            tuple: What the pipeline made of each image, and what the model takes.

        Raises:
            ValueError: See :meth:`ReferringDataPreprocessor.batch_images`.
        """
        prepared = [self._prepare(image.to_pipeline(model.encoder.takes_instances)) for image in given]
        return prepared, _batch(prepared, model.data_preprocessor)

    def encode(self, model: nn.Module, given: Sequence[GivenImage]) -> List[EncodedImage]:
        """Encode images in one pass of the model.

        If a large model is on a processor, the log says before the first image how long an image will take.

        Args:
            model (nn.Module): A :class:`~mmris.models.segmentors.ReferringSegmentor`.
            given (Sequence[GivenImage]): B images, at least one.

        Returns:
            list[EncodedImage]: B images, which share a state.

        Raises:
            ValueError: See :meth:`ReferringDataPreprocessor.batch_images`.
        """
        prepared, inputs = self.prepare(model, given)
        if not self._said_time:
            self._said_time = True
            expected = expect_time(model)
            if expected is not None:
                print_log(str(expected), logger='current')
        state = model.encode_images(inputs)
        # Threads may share them.
        for array in (array for image in given for array in (image.pixels, image.instance_masks)):
            if array is not None:
                array.setflags(write=False)
        weights = device_and_dtype(model)
        return [
            EncodedImage(
                pixels=image.pixels,
                path=image.path,
                instance_masks=image.instance_masks,
                state=state,
                row=row,
                affine=own['affine'],
                input_size=own['img_shape'],
                model=model,
                weights=weights) for row, (image, own) in enumerate(zip(given, prepared))
        ]


def _batch(prepared: Sequence[Dict[str, Any]], preprocessor: ReferringDataPreprocessor) -> ImageInputs:
    """Line up what a pipeline made of images, on the device of the model."""
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
