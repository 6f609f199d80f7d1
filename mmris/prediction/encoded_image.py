"""An image that a model has encoded, whatever runs the model."""

import threading
from dataclasses import dataclass
from typing import Any, Optional, Tuple

import numpy as np


@dataclass(frozen=True, eq=False, repr=False)
class BaseEncodedImage:
    """An image that a model has encoded, ready to be asked about.

    It never changes, so that any number of threads may ask about it at once. Two are equal only if they are the same
    object.

    Attributes:
        pixels (ndarray): ``(H0, W0, 3)`` uint8 RGB, upright.
        path (str, optional): Its file. None if the image was given as something else.
        instance_masks (ndarray, optional): ``(K, H0, W0)``, those that the model got with it, or None.
        state (Any): What the model computes of images without a sentence: of this one, and of those that were encoded
            together with it.
        row (int): Which row of ``state`` is this image's.
        affine (ndarray): ``(2, 3)`` float64, the map from original pixels to those of the model's input.
        input_size (tuple[int, int]): Height and width of the model's input in pixels.
        model (Any): The model that encoded it.
    """

    pixels: np.ndarray
    path: Optional[str]
    instance_masks: Optional[np.ndarray]
    state: Any
    row: int
    affine: np.ndarray
    input_size: Tuple[int, int]
    model: Any

    @property
    def size(self) -> Tuple[int, int]:
        """tuple[int, int]: Height and width of the image in pixels."""
        return self.pixels.shape[:2]

    def __repr__(self) -> str:
        return f'<{type(self).__name__} of {self.size[0]} x {self.size[1]} pixels (height x width)>'

    def check_model(self, model: Any) -> None:
        """Check that a model can be asked about the image.

        Args:
            model (Any): The model.

        Raises:
            ValueError: If another model encoded it.
        """
        if model is not self.model:
            raise ValueError('The image was encoded by another model than this predictor\'s: call set_image of this '
                             'predictor with it.')


class CurrentImage(threading.local):
    """The image that a thread has set: each thread sees its own, or None. A copy has none."""

    image: Optional[BaseEncodedImage] = None

    def __reduce__(self) -> tuple:
        return CurrentImage, ()
