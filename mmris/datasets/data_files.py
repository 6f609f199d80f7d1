"""Annotation files of any name, read by what they contain."""

import codecs
import json
import re
from typing import Any, Callable, List, Optional

from mmris.utils.file_content import START, name_content

from .plain_pickle import load_plain_pickle

# Endings under which refs are published or written.
REFS_SUFFIXES = ('.p', '.pkl', '.pickle', '.json', '.jsonl', '.ndjson')

_SPACE = re.compile(r'[ \t\n\r]*')
_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)


def read_json(path: str, object_hook: Optional[Callable] = None) -> Any:
    """Read a JSON or JSON Lines file in UTF-8, UTF-16 or UTF-32, with or without a byte order mark.

    Args:
        path (str): The file, of any name.
        object_hook (Callable, optional): Gets each dict as soon as it is read; what it returns takes the dict's place.
            Default: None, dicts stay as they are.

    Returns:
        Any: The content; of JSON Lines the list of its values, of which a file of one line has only that.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not a whole JSON file; the message says what it is instead, where that can be seen.
    """
    start = _read_start(path)
    if _begins_as_pickle(start):
        raise ValueError(f'{path} is a pickle, and JSON is expected. Check which file is which.')
    if not _begins_as_json(start):
        raise ValueError(f'{path} is not JSON: it begins with {start[:20]!r}.')
    return _parse(path, start, object_hook)


def read_json_or_pickle(path: str) -> Any:
    """Read a file of JSON, JSON Lines or plain data in a pickle, whatever its name says.

    Args:
        path (str): The file.

    Returns:
        Any: The content; of JSON Lines the list of its values, of which a file of one line has only that.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is neither, is not whole, or its pickle asks for more than plain data (see
            :func:`load_plain_pickle`).
    """
    start = _read_start(path)
    if _begins_as_json(start):
        return _parse(path, start, None)
    if _begins_as_pickle(start):
        return load_plain_pickle(path)
    raise ValueError(f'{path} holds neither JSON nor a pickle: it begins with {start[:20]!r}.')


def is_json(path: str) -> bool:
    """Tell whether a file that is there begins as JSON does, or is empty."""
    with open(path, 'rb') as file:
        start = file.read(START)
    return not start.strip() or _begins_as_json(start)


def is_torch_archive(path: str) -> bool:
    """Tell whether a file that is there is what ``torch.save`` writes since 2020: a zip archive with a ``data.pkl``."""
    with open(path, 'rb') as file:
        start = file.read(START)
    if not start.startswith(b'PK\x03\x04'):
        return False
    # It is the first file in it, so that the name can be read even if the archive is truncated.
    length = int.from_bytes(start[26:28], 'little')
    return start[30:30 + length].endswith(b'/data.pkl')


def _read_start(path: str) -> bytes:
    """The first bytes of a file of a format that is read."""
    with open(path, 'rb') as file:
        start = file.read(START)
        while start and not start.strip(b' \t\r\n'):
            start = file.read(START)
    if not start:
        raise ValueError(f'{path} is empty. Fetch or make it again.')
    what = name_content(start)
    if is_torch_archive(path):
        what = 'a file of torch.save, in which no annotations are read: take the same set as JSON'
    elif start.startswith(b'PK\x03\x04'):
        what = 'a zip archive (such as of an export): unpack it, and name the file in it'
    elif start.startswith(b'PK\x05\x06'):
        what = 'a zip archive without a file in it: fetch or export it again'
    if what is not None:
        raise ValueError(f'{path} is {what}.')
    return start


def _begins_as_json(start: bytes) -> bool:
    if start.startswith(_MARKS):
        return True
    return start.replace(b'\0', b'').lstrip(b' \t\r\n')[:1] in (b'[', b'{')


def _begins_as_pickle(start: bytes) -> bool:
    # From protocol 2 on 0x80 and its number; before, what opens a tuple, a list or a dict.
    return start[0] == 0x80 or start[:1] in (b'(', b']', b'}')


def _parse(path: str, start: bytes, object_hook: Optional[Callable]) -> Any:
    encoding = json.detect_encoding(start[:4])
    try:
        # Halves of characters are for whoever reads the text: they are no reason to lose the file.
        with open(path, encoding=encoding, errors='surrogatepass') as file:
            text = file.read()
    except UnicodeDecodeError as error:
        raise ValueError(f'{path} is not text in {encoding.upper()} ({error.reason} at byte {error.start:,}). Save it '
                         f'as UTF-8, or fetch it again.') from error
    try:
        values = _decode(text, object_hook)
    except json.JSONDecodeError as error:
        raise ValueError(f'{path} is not a whole JSON file ({error}). Fetch or make it again.') from error
    except RecursionError as error:
        raise ValueError(f'{path} is nested more deeply than annotations are. Fetch or make it again.') from error
    return values if len(values) > 1 else values[0]


def _decode(text: str, object_hook: Optional[Callable]) -> List[Any]:
    """The value of a text, or several objects one after the other."""
    try:
        return _decode_all(text, json.JSONDecoder(object_hook=object_hook))
    except json.JSONDecodeError:
        raise
    except ValueError:
        # An integer of more digits than Python reads. It is no reason to lose the rest.
        return _decode_all(text, json.JSONDecoder(object_hook=object_hook, parse_int=_read_integer))


def _read_integer(digits: str) -> float:
    return int(digits) if len(digits) < 400 else float(digits)


def _decode_all(text: str, decoder: json.JSONDecoder) -> List[Any]:
    start = _SPACE.match(text).end()
    value, end = decoder.raw_decode(text, start)
    values, end = [value], _SPACE.match(text, end).end()
    while end < len(text):
        if text[start] != '{' or text[end] != '{':
            raise json.JSONDecodeError('Extra data', text, end)
        value, end = decoder.raw_decode(text, end)
        values.append(value)
        end = _SPACE.match(text, end).end()
    return values
