"""Widths that a module was built for, and those that come."""

from typing import Tuple, Union

Width = Union[int, Tuple[int, ...]]


def check_width(owner: str, option: str, expected: Width, *, of: str, found: Width) -> None:
    """Check that what comes to a module is as wide as the module was built for.

    Args:
        owner (str): The module, for the message.
        option (str): The argument of it that tells the width.
        expected (int or tuple[int]): What it was set to.
        of (str): What comes, for the message.
        found (int or tuple[int]): How wide that is.

    Raises:
        ValueError: If the two differ.
    """
    if found != expected:
        raise ValueError(
            f'{option} of {owner} is {expected}, but the width of {of} is {found}: set {option}={found}.')
