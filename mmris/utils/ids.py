"""Ids in annotation files, which some writers make numbers and others text."""

import math
import re
from numbers import Real
from typing import Any, Optional, Tuple, Union

from mmris.utils.text import shorten, to_well_formed

Id = Union[int, str]

# As Python writes an integer. "007" is a name: as a number it would be another id's.
_INTEGER = re.compile(r'-?[1-9][0-9]{0,17}|0')
_LARGEST = 2**63


def read_whole_number(value: Any) -> Optional[int]:
    """Read an integer that may be written as a real number, such as ``30.0``.

    Args:
        value (Any): What a file has.

    Returns:
        int, optional: The number; None if it is not a whole number of 64 bits. True and false are none.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if isinstance(value, float) and not (math.isfinite(value) and value.is_integer()):
        return None
    return int(value) if -_LARGEST <= value < _LARGEST else None


def read_id(value: Any) -> Optional[Id]:
    """Read an id so that equal ids are equal, whatever they are written as: ``9``, ``9.0`` and ``"9"`` are one.

    Args:
        value (Any): What a file has.

    Returns:
        int or str, optional: The id; None if the value cannot be one.
    """
    if type(value) is int and -_LARGEST <= value < _LARGEST:
        return value
    if isinstance(value, str):
        return int(value) if _INTEGER.fullmatch(value) else to_well_formed(value)
    return read_whole_number(value)


def id_order(one: Any) -> Tuple[int, float, str]:
    """A sort key for ids of any mixture: numbers first, then text, then whatever else a data set may have as an id."""
    if isinstance(one, str):
        return 1, 0, one
    return (0, one, '') if isinstance(one, Real) else (2, 0, repr(one))


def describe_id_difference(one: Id, example: Optional[Id]) -> str:
    """Say how an id differs in kind from those of a file that does not have it.

    Args:
        one (int or str): The id.
        example (int or str, optional): An id that the file has. None if it has none.

    Returns:
        str: Both with their types, without a full stop; empty if they are of one kind.
    """
    if example is None or isinstance(example, str) == isinstance(one, str):
        return ''
    return f'The ids there are like {_show(example)}, and this one is {_show(one)}'


def _show(one: Id) -> str:
    return f'{shorten(one)} ({"text" if isinstance(one, str) else "a number"})'
