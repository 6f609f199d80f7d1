"""Numbers that come from files."""

import sys
from typing import Any


def is_finite_number(value: Any) -> bool:
    """Tell whether a value is a number that a float can hold.

    Args:
        value (Any): What a file has.

    Returns:
        bool: Whether it is an integer or a real number, and neither NaN nor infinite nor, as an integer of JSON may be,
        larger than any float. True and false are no numbers.
    """
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
