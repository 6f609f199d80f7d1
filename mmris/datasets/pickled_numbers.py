"""Numbers of NumPy in pickles, read without NumPy.

NumPy pickles the number 5 as a call of ``numpy.core.multiarray.scalar`` (``numpy._core`` since NumPy 2) with a
``numpy.dtype`` and the bytes of the number. The stand-ins here take what such a pickle passes and make Python's numbers
of it, so that nothing of NumPy is called with arguments of strangers.
"""

import struct
from typing import Any, Callable, Dict, Tuple, Union

Number = Union[bool, int, float]

# By NumPy's name of a kind and its size in bytes, how `struct` calls it.
_FORMATS = dict(
    b1='?', i1='b', i2='h', i4='i', i8='q', u1='B', u2='H', u4='I', u8='Q', f2='e', f4='f', f8='d')
_BYTE_ORDERS = ('<', '>')


class LossyStringError(Exception):
    """Bytes were decoded as text, and cannot be told from the text. A pickle of Python 2 has them as one kind."""


class NoNumberError(Exception):
    """NumPy's value is none of the numbers that are read. The message is its type."""


class _NumberType:
    """What a pickle says of a ``numpy.dtype``: the kind of number, and in which order its bytes are."""

    __slots__ = ('format', 'byte_order')

    def __init__(self, kind: str) -> None:
        self.format, self.byte_order = _FORMATS[kind], '<'

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) < 2:
            raise ValueError(f'the state of a numpy.dtype is a tuple, not {type(state).__name__}')
        order = _as_text(state[1])
        # '|' is for numbers of one byte, which have no order.
        self.byte_order = order if order in _BYTE_ORDERS else '<'


def _make_number_type(kind: Any, *flags: Any) -> _NumberType:
    text = _as_text(kind)
    if text not in _FORMATS:
        raise NoNumberError(f'a numpy.dtype {text[:20]!r}')
    return _NumberType(text)


def _make_number(number_type: Any, content: Any = None) -> Number:
    if not isinstance(number_type, _NumberType):
        raise ValueError('a NumPy number has no numpy.dtype')
    if isinstance(content, str):
        if not content.isascii():
            raise LossyStringError
        content = content.encode('ascii')
    if not isinstance(content, bytes):
        raise ValueError('a NumPy number has no bytes')
    # It raises struct.error if these are not as many bytes as the type has.
    return struct.unpack(number_type.byte_order + number_type.format, content)[0]


def _as_text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode('latin-1')
    return value if isinstance(value, str) else ''


NUMBERS: Dict[Tuple[str, str], Callable] = {
    ('numpy', 'dtype'): _make_number_type,
    ('numpy.core.multiarray', 'scalar'): _make_number,
    ('numpy._core.multiarray', 'scalar'): _make_number,
}
"""What stands in for the callables that NumPy's numbers are pickled as."""
