"""The split of a COCO file that mmris writes, stored in it: names of people's own splits are not told by file names."""

import json
import re
from typing import Any, Dict, Optional

_WRITER = 'Written by mmris'
_TEXT = rb'"((?:[^"\\]|\\.)*)"'
# As `json.dumps` writes the beginning of a file whose first key is `info`.
_BEGINNING = re.compile(rb'\{"info": \{"description": "' + _WRITER.encode() + rb'", "split": ' + _TEXT)
_START = 4096


def describe_split(split: str) -> Dict[str, str]:
    """Make the ``info`` of a COCO file of a split. It has to be the first entry of the file.

    Args:
        split (str): The split.

    Returns:
        dict[str, str]: The entry.
    """
    return dict(description=_WRITER, split=split)


def split_of_info(info: Any) -> Optional[str]:
    """Tell which split a COCO file is of by its ``info``; None if mmris did not write it."""
    if not isinstance(info, dict) or info.get('description') != _WRITER or not isinstance(info.get('split'), str):
        return None
    return info['split']


def read_stored_split(path: str) -> Optional[str]:
    """Tell the same by the beginning of a file, without reading the rest.

    Args:
        path (str): Any file or folder.

    Returns:
        str, optional: The split. None if there is no such file, or it has none stored.
    """
    try:
        with open(path, 'rb') as file:
            match = _BEGINNING.match(file.read(_START))
    except OSError:
        return None
    try:
        return json.loads(b'"%s"' % match[1]) if match else None
    except ValueError:
        # It only begins as mmris writes it.
        return None
