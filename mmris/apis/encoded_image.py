"""An image that a model of torch has encoded."""

from dataclasses import dataclass
from typing import Tuple

import torch
from torch import nn

from mmris.prediction import BaseEncodedImage
from mmris.structures import TensorStructure


@dataclass(frozen=True, eq=False, repr=False)
class EncodedImage(BaseEncodedImage):
    """An image that a model of torch has encoded, ready to be asked about.

    :meth:`~mmris.apis.Predictor.set_image` makes one, :meth:`~mmris.apis.Predictor.encode` several at a time.

    Attributes:
        state (TensorStructure): What the model computes of images without a sentence: of this one, and of those that
            were encoded together with it.
        model (nn.Module): The model that encoded it.
        weights (tuple[device, dtype]): Where the model's weights were, and of which kind.
    """

    state: TensorStructure
    model: nn.Module
    weights: Tuple[torch.device, torch.dtype]

    def check_model(self, model: nn.Module) -> None:
        """Check that a model can be asked about the image.

        Args:
            model (nn.Module): The model.

        Raises:
            ValueError: If another model encoded it.
            ValueError: If the model has moved to another device or dtype since.
        """
        super().check_model(model)
        now = device_and_dtype(model)
        if now != self.weights:
            (device, dtype), (new_device, new_dtype) = self.weights, now
            raise ValueError(f'The image was encoded with weights of {dtype} on {device}, but they are now of '
                             f'{new_dtype} on {new_device}: call set_image again.')


def device_and_dtype(model: nn.Module) -> Tuple[torch.device, torch.dtype]:
    """Where a model's weights are, and of which kind.

    Args:
        model (nn.Module): A model with parameters.

    Returns:
        tuple[device, dtype]: Of its first parameter.
    """
    first = next(model.parameters())
    return first.device, first.dtype
