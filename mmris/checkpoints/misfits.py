"""What keeps weights from fitting a module."""

from typing import Any, Mapping, Sequence

from torch import Tensor

# Of more keys than these, a message says how many there are.
_SHOWN = 10


def find_misfits(expected: Mapping[str, Tensor], given: Mapping[str, Any]) -> str:
    """Compare weights with those that a module has.

    Args:
        expected (Mapping[str, Tensor]): The module's.
        given (Mapping[str, Any]): The file's.

    Returns:
        str: Which keys are missing, left over, of another shape or another kind of numbers; empty if all fits.
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
    missing = [key for key in expected if key not in given]
    leftover = [key for key in given if key not in expected]
    if not (missing or leftover or shapes or kinds):
        return ''
    misfits = f'Missing: {_enumerate(missing)}. Left over: {_enumerate(leftover)}.'
    misfits += f' Of another shape: {_enumerate(shapes)}.' if shapes else ''
    return misfits + (f' Of another type: {_enumerate(kinds)}.' if kinds else '')


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
        raise RuntimeError(f'{path} does not fit the model of the config: its weights are {what}: '
                           f'{", ".join((wrong or list(given))[:5])}. Use the config that it was trained with.')


def _kind(tensor: Tensor) -> tuple:
    return tensor.is_floating_point(), tensor.is_complex()


def _enumerate(items: Sequence[str]) -> str:
    more = f' and {len(items) - _SHOWN} more' if len(items) > _SHOWN else ''
    return f'{", ".join(map(str, items[:_SHOWN]))}{more}' or 'none'
