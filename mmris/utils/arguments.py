"""Values on a command line: what ``type`` of ``add_argument`` may be."""

import argparse
import math
import os
from typing import Callable, Optional, Tuple

from .text import to_well_formed


def at_least(least: int) -> Callable[[str], int]:
    """Make the reader of an integer that is not below a limit.

    Args:
        least (int): The limit.

    Returns:
        Callable: Takes what was typed and returns the integer; raises ``argparse.ArgumentTypeError`` if it is none, or
        below the limit.
    """

    def read(given: str) -> int:
        value = _read(int, given)
        if not value >= least:
            raise argparse.ArgumentTypeError(f'an integer of at least {least} is needed, but got {given}')
        return value

    return read


def above_zero(given: str) -> float:
    """Read a number above 0.

    Args:
        given (str): What was typed.

    Returns:
        float: The number.

    Raises:
        argparse.ArgumentTypeError: If it is no number, infinite, or not above 0.
    """
    value = _read(float, given)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f'a number above 0 is needed, but got {given}')
    return value


def probability(given: str) -> float:
    """Read a probability above which pixels are predicted.

    Args:
        given (str): What was typed.

    Returns:
        float: In [0, 1).

    Raises:
        argparse.ArgumentTypeError: If it is no number, or outside.
    """
    value = _read(float, given)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f'a probability in [0, 1) is needed, but got {given}')
    return value


def port(given: str) -> int:
    """Read a port of TCP.

    Args:
        given (str): What was typed.

    Returns:
        int: In 0 to 65535.

    Raises:
        argparse.ArgumentTypeError: If it is no integer, or outside.
    """
    value = _read(int, given)
    if not 0 <= value <= 65535:
        raise argparse.ArgumentTypeError(f'a port from 0 to 65535 is needed, but got {given}')
    return value


def pair(given: str) -> Tuple[str, str]:
    """Read two names with ``:`` between them.

    Args:
        given (str): What was typed.

    Returns:
        tuple[str, str]: The names.

    Raises:
        argparse.ArgumentTypeError: If it is no such pair.
    """
    names = tuple(given.split(':'))
    if len(names) != 2 or not all(names):
        raise argparse.ArgumentTypeError(f'two names with : between them are needed, such as both:baseline, but got '
                                         f'{given}')
    return names


def sentence(given: str) -> str:
    """Read a sentence.

    Args:
        given (str): What was typed.

    Returns:
        str: The same. Bytes that are UTF-8 are read as such, whatever the locale says; others that the locale's
        encoding does not have become U+FFFD.

    Raises:
        argparse.ArgumentTypeError: If it has no words, as by a slip of quoting.
    """
    if not given.strip():
        raise argparse.ArgumentTypeError('a sentence needs words, but one is empty: quote each sentence')
    try:
        return os.fsencode(given).decode()
    except UnicodeError:
        return to_well_formed(given)


def key_value(given: str) -> str:
    """Read a key of a config and its value, ``KEY=VALUE``.

    Args:
        given (str): What was typed.

    Returns:
        str: The same.

    Raises:
        argparse.ArgumentTypeError: If it has no key, or no ``=``.
    """
    if not given.partition('=')[0] or '=' not in given:
        raise argparse.ArgumentTypeError(f'KEY=VALUE is needed, but got {given}')
    return given


def file_or_none(given: str) -> Optional[str]:
    """Read the path of a file, or the word ``none``, which is None."""
    return None if given == 'none' else given


def _read(kind: Callable, given: str) -> float:
    """A number; not a number, where it is none."""
    try:
        return kind(given)
    except ValueError:
        return math.nan
