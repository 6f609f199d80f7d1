"""Configs of models whose weights shall be random."""

from typing import Any


def forget_pretrained(part: Any) -> None:
    """Set ``pretrained`` to None in a part of a config and in all that it holds.

    Args:
        part (dict): As the config of an encoder. It is changed.
    """
    for name, value in list(part.items()):
        if name == 'pretrained':
            part[name] = None
        elif isinstance(value, dict):
            forget_pretrained(value)
