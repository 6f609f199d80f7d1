"""The base of the structures that hold tensors."""

from dataclasses import dataclass, fields
from typing import Any, Callable, TypeVar

import torch
from torch import Tensor

Structure = TypeVar('Structure', bound='TensorStructure')


def _map(value: Any, function: Callable[[Tensor], Tensor]) -> Any:
    if isinstance(value, Tensor):
        return function(value)
    if isinstance(value, TensorStructure):
        return value.map(function)
    if isinstance(value, tuple):
        return tuple(_map(item, function) for item in value)
    return value


@dataclass(frozen=True)
class TensorStructure:
    """A frozen dataclass whose fields are tensors, tuples of tensors or further structures."""

    def map(self: Structure, function: Callable[[Tensor], Tensor]) -> Structure:
        """Return a copy with ``function`` applied to each tensor."""
        return type(self)(**{field.name: _map(getattr(self, field.name), function) for field in fields(self)})

    def to(self: Structure, device: torch.device, non_blocking: bool = False) -> Structure:
        """Return a copy on ``device``."""
        return self.map(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def select(self: Structure, rows: Tensor) -> Structure:
        """Return a copy with some rows of each tensor.

        Args:
            rows (Tensor): ``(R,)`` int64, indices into the first dimension, which all tensors here must share. May
                repeat.
        """
        return self.map(lambda tensor: tensor.index_select(0, rows))
