"""What keeps weights from fitting a module."""

from dataclasses import dataclass
from typing import Any, Mapping, Sequence, Tuple

from torch import Tensor

from mmris.utils.terminal import one_line

# Of more keys than these, a message says how many there are.
_SHOWN = 10


@dataclass(frozen=True)
class Misfits:
    """How weights differ from those that a module has. It is false if they do not.

    Attributes:
        missing (tuple[str]): Keys that the file lacks.
        leftover (tuple[str]): Keys that the module lacks.
        shapes (tuple[str]): Keys of another shape, with both.
        kinds (tuple[str]): Keys of another kind of numbers, with that of the file.
    """
    missing: Tuple[str, ...]
    leftover: Tuple[str, ...]
    shapes: Tuple[str, ...]
    kinds: Tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.missing or self.leftover or self.shapes or self.kinds)

    def __str__(self) -> str:
        """Return one line, in which long lists end in how many more there are."""
        if not self:
            return ''
        misfits = f'Missing: {enumerate_keys(self.missing)}. Left over: {enumerate_keys(self.leftover)}.'
        misfits += f' Of another shape: {enumerate_keys(self.shapes)}.' if self.shapes else ''
        return misfits + (f' Of another type: {enumerate_keys(self.kinds)}.' if self.kinds else '')


def compare_weights(expected: Mapping[str, Tensor], given: Mapping[str, Any]) -> Misfits:
    """Compare weights with those that a module has.

    Args:
        expected (Mapping[str, Tensor]): The module's.
        given (Mapping[str, Any]): The file's.

    Returns:
        Misfits: All that differs.
    """
    shared = [key for key in expected if key in given]
    tensors = [key for key in shared if isinstance(given[key], Tensor)]
    shapes = [
        f'{key} {tuple(given[key].shape)} in the file, {tuple(expected[key].shape)} in the model' for key in tensors
        if given[key].shape != expected[key].shape
    ]
    # Copied into a parameter, whole numbers would pass for weights.
    kinds = [f'{key} {given[key].dtype}' for key in tensors if _kind(given[key]) != _kind(expected[key])]
    kinds += [f'{key} {type(given[key]).__name__}' for key in shared if not isinstance(given[key], Tensor)]
    return Misfits(
        missing=tuple(key for key in expected if key not in given),
        leftover=tuple(key for key in given if key not in expected),
        shapes=tuple(shapes),
        kinds=tuple(kinds))


def find_misfits(expected: Mapping[str, Tensor], given: Mapping[str, Any]) -> str:
    """Describe in one line how weights differ from those that a module has; empty if they do not."""
    return str(compare_weights(expected, given))


def check_some_fit(expected: Mapping[str, Tensor], given: Mapping[str, Tensor], path: str) -> None:
    """Check that a training can begin from weights: some of the model's are among them, none of another shape.

    Args:
        expected (Mapping[str, Tensor]): The model's.
        given (Mapping[str, Tensor]): The file's.
        path (str): What to call the file in messages.

    Raises:
        RuntimeError: If that is not so.
    """
    wrong = [key for key, value in given.items() if key in expected and value.shape != expected[key].shape]
    if wrong or not any(key in expected for key in given):
        what = 'of other shapes' if wrong else 'not one that the model has'
        keys = one_line(', '.join((wrong or list(given))[:5]))
        raise RuntimeError(f'{path} does not fit the model of the config: its weights are {what}: {keys}. Use the '
                           f'config that it was trained with.')


def _kind(tensor: Tensor) -> tuple:
    return tensor.is_floating_point(), tensor.is_complex()


def enumerate_keys(items: Sequence[str]) -> str:
    """List keys for a message: the first ones, and how many more there are; ``'none'`` if there are none."""
    more = f' and {len(items) - _SHOWN} more' if len(items) > _SHOWN else ''
    # Keys come from a file, and can hold what steers a terminal.
    return one_line(f'{", ".join(map(str, items[:_SHOWN]))}{more}') or 'none'
