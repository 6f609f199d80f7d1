"""JSON in files: what was written, and may since be anything."""

import json
from pathlib import Path
from typing import Any, Callable, Optional, Union

from .files import write_atomically

#: What ``json.loads`` raises of any text. It is a RecursionError of brackets inside one another, and a plain ValueError
#: of a number of thousands of digits.
JSON_ERRORS = (ValueError, RecursionError)


def read_json_file(path: Union[str, Path], remedy: str) -> Any:
    """Read a JSON file in UTF-8.

    Args:
        path (str or Path): The file.
        remedy (str): What to do if it is none, in a sentence.

    Returns:
        Any: Its content.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not JSON; the message names the file.
    """
    return parse_json(Path(path).read_bytes(), str(path), remedy)


def write_json_file(path: Union[str, Path], content: Any, default: Optional[Callable[[Any], Any]] = None) -> None:
    """Write a JSON file in UTF-8, whole or not at all.

    Args:
        path (str or Path): The file. One of this name is replaced.
        content (Any): Its content.
        default (Callable, optional): Makes a value that JSON has no form for into one that it has. Default: None.

    Raises:
        TypeError: If a value has no form in JSON.
        OSError: If the file cannot be written.
    """
    with write_atomically(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, default=default) + '\n', encoding='utf-8')


def parse_json(text: Union[str, bytes], where: str, remedy: str) -> Any:
    """Parse JSON.

    Args:
        text (str or bytes): The text; bytes are UTF-8.
        where (str): Where it stands, to begin the message of an error.
        remedy (str): What to do then, in a sentence.

    Returns:
        Any: The value.

    Raises:
        ValueError: If it is not JSON.
    """
    try:
        return json.loads(text if isinstance(text, str) else text.decode('utf-8'))
    except JSON_ERRORS as error:
        raise ValueError(f'{where} is not JSON ({explain(error)}). {remedy}') from error


def explain(error: BaseException) -> str:
    """Say why a text is not JSON, of one of :data:`JSON_ERRORS`."""
    if isinstance(error, UnicodeDecodeError):
        return f'it is not text in UTF-8: {error.reason} at byte {error.start:,}'
    return 'it is nested too deeply' if isinstance(error, RecursionError) else str(error)
