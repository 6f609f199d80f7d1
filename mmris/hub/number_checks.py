"""Which numbers the config of a published model may have, where a wrong one would fail only once it is used."""

from typing import Any, Callable, Dict, Tuple

from mmris.utils.text import shorten

#: Whole numbers above this are of no model's: vocabularies have 64,010 words, expressions are at most a few hundred.
MOST = 100_000
_MOST_EXPRESSIONS = 4096


def is_whole(value: Any, least: int, most: int) -> bool:
    """Whether a value is a whole number in a range; True and False are none."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def explain_number(name: str, value: Any) -> str:
    """Explain what is wrong with a setting that is a number, or three.

    Args:
        name (str): The setting's, one of ``NUMBERS``.
        value (Any): What the config gives.

    Returns:
        str: What follows the setting's place in a message; empty if the value is fine.
    """
    is_fine, expected = NUMBERS[name]
    return '' if is_fine(value) else f'is {shorten(value)} instead of {expected}'


def _is_number(value: Any, least: float, most: float) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value <= most


def _are_three(value: Any, least: float, most: float) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == 3 and all(_is_number(one, least, most) for one in value)


#: By the name of a setting: whether a value is fine, and what is expected.
NUMBERS: Dict[str, Tuple[Callable[[Any], bool], str]] = dict(
    border_colour=(lambda value: _are_three(value, 0, 255), '3 numbers in 0 to 255'),
    # Beyond these, float32 may make 0 or infinity of them, or of pixels.
    mean=(lambda value: _are_three(value, -MOST, MOST), f'3 numbers in -{MOST:,} to {MOST:,}'),
    std=(lambda value: _are_three(value, 1e-6, MOST), f'3 numbers in 0.000001 to {MOST:,}'),
    max_expressions=(lambda value: is_whole(value, 1, _MOST_EXPRESSIONS),
                     f'a whole number in 1 to {_MOST_EXPRESSIONS:,}'),
    threshold=(lambda value: _is_number(value, 0, 1) and value < 1, 'a number in 0 to 1, without 1'),
    existence_threshold=(lambda value: _is_number(value, 0, 1) and 0 < value < 1, 'a number between 0 and 1'),
    min_score=(lambda value: _is_number(value, 0, 1), 'a number in 0 to 1'),
    max_instances=(lambda value: is_whole(value, 1, MOST), f'a whole number in 1 to {MOST:,}'))
