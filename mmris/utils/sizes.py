"""Sizes for readers."""

from typing import Optional

_UNITS = ('bytes', 'kB', 'MB', 'GB', 'TB')


def in_words(size: Optional[int]) -> str:
    """Return a number of bytes for readers, such as ``13.5 GB``; ``size not known`` of None."""
    if size is None:
        return 'size not known'
    value, unit = float(size), 0
    while value >= 999.95 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f'{value:,.1f} {_UNITS[unit]}' if unit else f'{size:,} bytes'
