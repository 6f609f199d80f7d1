"""An image that a model has encoded."""

import threading
from dataclasses import dataclass
from typing import Optional, Tuple

import numpy as np
import torch
from torch import nn

from mmris.structures import TensorStructure


@dataclass(frozen=True, eq=False, repr=False)
class EncodedImage:
    """An image that a model has encoded, ready to be asked about.

    :meth:`Predictor.set_image` makes one, :meth:`Predictor.encode` several at a time. It never changes, so that any
    number of threads may ask about it at once.
    Two are equal only if they are the same object.

    Attributes:
        pixels (ndarray): ``(H0, W0, 3)`` uint8 RGB, upright.
        path (str, optional): Its file. None if the image was given as something else.
        instance_masks (ndarray, optional): ``(K, H0, W0)``, those that the model got with it, or None.
        state (TensorStructure): What the model computes of images without a sentence: of this one, and of those that
            were encoded together with it.
        row (int): Which row of ``state`` is this image's.
        affine (ndarray): ``(2, 3)`` float64, the map from original pixels to those of the model's input.
        input_size (tuple[int, int]): Height and width of the model's input in pixels.
        model (nn.Module): The model that encoded it.
        weights (tuple[device, dtype]): Where the model's weights were, and of which kind.
    """

    pixels: np.ndarray
    path: Optional[str]
    instance_masks: Optional[np.ndarray]
    state: TensorStructure
    row: int
    affine: np.ndarray
    input_size: Tuple[int, int]
    model: nn.Module
    weights: Tuple[torch.device, torch.dtype]

    @property
    def size(self) -> Tuple[int, int]:
        """tuple[int, int]: Height and width of the image in pixels."""
        return self.pixels.shape[:2]

    def __repr__(self) -> str:
        return f'<{type(self).__name__} of {self.size[0]} x {self.size[1]} pixels (height x width)>'

    def check_model(self, model: nn.Module) -> None:
        """Check that a model can be asked about the image.

        Args:
            model (nn.Module): The model.

        Raises:
            ValueError: If another model encoded it.
            ValueError: If the model has moved to another device or dtype since.
        """
        if model is not self.model:
            raise ValueError('The image was encoded by another model than this predictor\'s: call set_image of this '
                             'predictor with it.')
        now = device_and_dtype(model)
        if now != self.weights:
            (device, dtype), (new_device, new_dtype) = self.weights, now
            raise ValueError(f'The image was encoded with weights of {dtype} on {device}, but they are now of '
                             f'{new_dtype} on {new_device}: call set_image again.')


class CurrentImage(threading.local):
    """The image that a thread has set: each thread sees its own, or None. A copy has none."""

    image: Optional[EncodedImage] = None

    def __reduce__(self) -> tuple:
        return CurrentImage, ()


def device_and_dtype(model: nn.Module) -> Tuple[torch.device, torch.dtype]:
    """Where a model's weights are, and of which kind.

    Args:
        model (nn.Module): A model with parameters.

    Returns:
        tuple[device, dtype]: Of its first parameter.
    """
    first = next(model.parameters())
    return first.device, first.dtype
