"""Weights to another type of numbers while they are read."""

from typing import Optional

import torch
from torch import Tensor

# Tensors with fewer numbers keep their type: they take no memory to speak of, and some of them, such as positions, stay
# float32 in a model of half precision.
_LARGE = 2**18


def as_dtype(tensor: Tensor, dtype: Optional[torch.dtype]) -> Tensor:
    """Cast a tensor that was read, if it is a large one of floating-point numbers.

    Args:
        tensor (Tensor): The tensor.
        dtype (torch.dtype, optional): The type. None: as it is.

    Returns:
        Tensor: The same or a cast one.
    """
    if dtype is None or tensor.numel() < _LARGE or not tensor.is_floating_point():
        return tensor
    return tensor.to(dtype)
