"""Pickles from strangers, read as data alone."""

import codecs
import io
import pickle
import struct
from collections import OrderedDict
from pathlib import Path
from typing import Any, Dict, Tuple, Union

from mmris.utils.pickle_instructions import check_pickle

from .pickled_numbers import NUMBERS, LossyStringError, NoNumberError


def _encode_latin1(text: str, encoding: str = 'latin1') -> bytes:
    # How Python 3 writes bytes into pickles that Python 2 can read.
    return codecs.encode(text, 'latin1')


def _empty_bytes() -> bytes:
    return b''


# Callables that such a pickle may name. Lists, dicts, tuples, strings and Python's numbers need none.
_ALLOWED = {
    ('builtins', 'set'): set,
    ('builtins', 'frozenset'): frozenset,
    ('builtins', 'bytes'): _empty_bytes,
    ('__builtin__', 'set'): set,
    ('__builtin__', 'frozenset'): frozenset,
    ('__builtin__', 'bytes'): _empty_bytes,
    ('collections', 'OrderedDict'): OrderedDict,
    ('_codecs', 'encode'): _encode_latin1,
    **NUMBERS,
}


def _as_latin1(error: UnicodeError) -> Tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start:error.end].decode('latin-1'), error.end


# For strings of Python 2: one that is not UTF-8 leaves the others of its file as they are.
_LATIN1_ERRORS = 'mmris.latin-1'
codecs.register_error(_LATIN1_ERRORS, _as_latin1)


class _NotPlainError(Exception):
    """The pickle asks for something that is not plain data."""


class _PlainUnpickler(pickle.Unpickler):

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _ALLOWED:
            return _ALLOWED[module, name]
        raise _NotPlainError(f'{module}.{name}')


def load_plain_pickle(path: Union[str, Path]) -> Any:
    """Read a pickle of plain containers, strings and numbers, of Python 2 or 3. Nothing in it is run.

    Strings of Python 2 are taken as UTF-8, but bytes of them that are not as Latin-1. Numbers of NumPy (booleans,
    integers and real numbers) become Python's.

    Args:
        path (str or Path): The file.

    Returns:
        Any: What it holds.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it asks for anything but plain containers, strings and numbers; the message names what.
        ValueError: If it is no pickle, or a truncated one, or would take memory or time out of proportion to its size.
    """
    content = Path(path).read_bytes()
    try:
        check_pickle(content)
        return _load(content)
    except (_NotPlainError, NoNumberError) as error:
        raise ValueError(f'{path} is refused: it asks for {error}. A refs file holds plain containers, strings and '
                         f'numbers. {_advise(str(error))}') from error
    except (pickle.UnpicklingError, EOFError, AttributeError, ImportError, IndexError, KeyError, TypeError,
            ValueError, OverflowError, MemoryError, struct.error, LossyStringError, RecursionError) as error:
        raise ValueError(f'{path} is not a whole pickle ({error!r}). Fetch it again.') from error


def _load(content: bytes) -> Any:
    try:
        return _PlainUnpickler(io.BytesIO(content), encoding='utf-8', errors=_LATIN1_ERRORS).load()
    except LossyStringError:
        # Python 2 has one kind of string for text and for the bytes of NumPy's numbers. Read as bytes, both are exact.
        return _decode_strings(_PlainUnpickler(io.BytesIO(content), encoding='bytes').load(), {})


def _decode_strings(value: Any, done: Dict[int, Tuple[Any, Any]]) -> Any:
    """Decode the strings of Python 2 in nested containers. ``done`` has by its id each container that was there."""
    if isinstance(value, bytes):
        return value.decode('utf-8', _LATIN1_ERRORS)
    if not isinstance(value, (list, dict, tuple, set, frozenset)):
        return value
    if id(value) not in done:
        # With the value itself: an id is another object's as soon as its own is gone.
        if isinstance(value, dict):
            done[id(value)] = value, type(value)()
            done[id(value)][1].update(
                (_decode_strings(key, done), _decode_strings(one, done)) for key, one in value.items())
        elif isinstance(value, list):
            done[id(value)] = value, []
            done[id(value)][1].extend(_decode_strings(one, done) for one in value)
        else:
            done[id(value)] = value, type(value)(_decode_strings(one, done) for one in value)
    return done[id(value)][1]


def _advise(asked: str) -> str:
    if 'numpy.' in asked:
        return 'Convert each array of NumPy by array.tolist() and each other value by value.item(), and save it again.'
    return 'Use a pickle of those, or the same as .json.'
