"""The base of the structures that hold tensors."""

from dataclasses import dataclass, fields, replace
from typing import Any, Callable, Dict, Iterable, Iterator, Optional, Sequence, Tuple, TypeVar

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
    if isinstance(value, dict):
        return {name: _map(item, function) for name, item in value.items()}
    return value


def _select(value: Any, rows: Tensor) -> Any:
    # A structure knows which of its tensors have those rows.
    if isinstance(value, TensorStructure):
        return value.select(rows)
    if isinstance(value, tuple):
        return tuple(_select(item, rows) for item in value)
    if isinstance(value, dict):
        return {name: _select(item, rows) for name, item in value.items()}
    return value.index_select(0, rows) if isinstance(value, Tensor) else value


def _concatenate(values: Sequence[Any]) -> Any:
    first = values[0]
    if isinstance(first, TensorStructure):
        return first.concatenate(values)
    if isinstance(first, tuple):
        return tuple(_concatenate(items) for items in zip(*values))
    if isinstance(first, dict):
        return {name: _concatenate([value[name] for value in values]) for name in first}
    return concatenate_tokens(values) if isinstance(first, Tensor) else first


def _named(value: Any, name: str) -> Iterator[Tuple[str, Tensor]]:
    """The tensors of a value, in the order in which :func:`_map` visits them."""
    if isinstance(value, Tensor):
        yield name, value
    parts: Iterable[Tuple[Any, Any]] = ()
    if isinstance(value, TensorStructure):
        parts = ((field.name, getattr(value, field.name)) for field in fields(value))
    elif isinstance(value, tuple):
        parts = enumerate(value)
    elif isinstance(value, dict):
        parts = value.items()
    for key, part in parts:
        yield from _named(part, f'{name}.{key}' if name else str(key))


def concatenate_tokens(tensors: Sequence[Tensor]) -> Tensor:
    """Concatenate the rows of tensors whose second dimension, the tokens of a sentence, may differ.

    Shapes are known without asking a GPU, so that none has to wait.

    Args:
        tensors (Sequence[Tensor]): At least one, each ``(P_i, L_i, ...)``, or ``(P_i,)``. All other sizes are alike.

    Returns:
        Tensor: ``(P, L, ...)``, L the largest ``L_i``. Shorter rows end in zeros, in masks in false.
    """
    if tensors[0].dim() > 1:
        length = max(tensor.size(1) for tensor in tensors)
        tensors = [_lengthen(tensor, length) for tensor in tensors]
    return torch.cat(list(tensors))


def _lengthen(tensor: Tensor, length: int) -> Tensor:
    """Rows with zeros behind them; the tensor itself if they are long enough."""
    if tensor.size(1) == length:
        return tensor
    padding = tensor.new_zeros(tensor.size(0), length - tensor.size(1), *tensor.shape[2:])
    return torch.cat((tensor, padding), dim=1)


def _rows(value: Any) -> Optional[int]:
    """The number of rows of the first tensor in a value; None if it holds none."""
    if isinstance(value, Tensor):
        return value.size(0)
    parts: Iterable[Any] = value if isinstance(value, tuple) else ()
    if isinstance(value, TensorStructure):
        parts = (getattr(value, field.name) for field in fields(value))
    elif isinstance(value, dict):
        parts = value.values()
    return next((rows for part in parts if (rows := _rows(part)) is not None), None)


@dataclass(frozen=True)
class TensorStructure:
    """A frozen dataclass whose fields are tensors, further structures, or tuples and dicts of these."""

    def map(self: Structure, function: Callable[[Tensor], Tensor]) -> Structure:
        """Return a copy with ``function`` applied to each tensor."""
        return type(self)(**{field.name: _map(getattr(self, field.name), function) for field in fields(self)})

    def named_tensors(self) -> Dict[str, Tensor]:
        """Return all tensors by where they stand, such as ``'stages.0'``."""
        return dict(_named(self, ''))

    def with_tensors(self: Structure, tensors: Sequence[Tensor]) -> Structure:
        """Return a copy with other tensors in place of those of :meth:`named_tensors`, in that order.

        Args:
            tensors (Sequence[Tensor]): As many as there are.
        """
        following = iter(tensors)
        return self.map(lambda _: next(following))

    def to(self: Structure, device: torch.device, non_blocking: bool = False) -> Structure:
        """Return a copy on ``device``."""
        return self.map(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def select(self: Structure, rows: Tensor) -> Structure:
        """Return a copy with some rows of each tensor.

        Args:
            rows (Tensor): ``(R,)`` int64, indices into the first dimension, which all tensors here must share, but
                for those of a structure that selects in its own way. May repeat.
        """
        return type(self)(**{field.name: _select(getattr(self, field.name), rows) for field in fields(self)})

    @staticmethod
    def concatenate(structures: Sequence[Structure]) -> Structure:
        """Return one structure with the rows of several.

        Args:
            structures (Sequence[TensorStructure]): At least one; all of one class, and alike but for their rows, and
                for the number of tokens, the second dimension: see :func:`concatenate_tokens`.
        """
        first = structures[0]
        return type(first)(
            **{
                field.name: _concatenate([getattr(structure, field.name) for structure in structures])
                for field in fields(first)
            })


@dataclass(frozen=True)
class SharedRows(TensorStructure):
    """Rows that others point into, instead of having copies: what is made of an image once, for all that is asked.

    Attributes:
        values (TensorStructure, Tensor, tuple or dict): Tensors of B rows.
        index (Tensor): ``(M,)`` int64, the row that belongs to each of M others.
    """

    values: Any
    index: Tensor

    @classmethod
    def of(cls, values: Any, count: int, device: torch.device) -> 'SharedRows':
        """Make one in which each of ``count`` rows stands for itself."""
        return cls(values, torch.arange(count, device=device))

    def select(self, rows: Tensor) -> 'SharedRows':
        """Return what some of the others point to; ``values`` stay as they are."""
        return replace(self, index=self.index.index_select(0, rows))

    @staticmethod
    def concatenate(structures: Sequence[TensorStructure]) -> TensorStructure:
        """Refuse: each structure points into rows of its own.

        Raises:
            TypeError: Always.
        """
        raise TypeError('SharedRows cannot be concatenated: each of them points into rows of its own.')

    def trimmed(self) -> 'SharedRows':
        """Return the same with no more values than others, so that nothing is computed of values that none points to.

        What points where is not looked at, which would make a GPU wait.
        """
        rows = _rows(self.values)
        if rows is None or rows <= self.index.size(0):
            return self
        return SharedRows.of(self.expand(), self.index.size(0), self.index.device)

    def expand(self) -> Any:
        """The values of each of the M others, copied: for what cannot work on B rows."""
        return _select(self.values, self.index)
