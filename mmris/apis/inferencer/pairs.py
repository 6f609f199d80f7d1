"""Files of images and sentences: CSV, TSV and JSON Lines."""

import os
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Union

from mmris.datasets.readers.opening import TextTable, open_value
from mmris.utils.text import shorten

IMAGE, SENTENCE = 'image', 'sentence'


class SentenceRow(NamedTuple):
    """What a file says of one sentence.

    Attributes:
        image (str): The image as the file has it.
        sentence (str): The sentence.
        columns (dict[str, Any]): Further columns.
    """

    image: str
    sentence: str
    columns: Dict[str, Any]


def read_pairs(path: Union[str, os.PathLike]) -> Dict[str, List[SentenceRow]]:
    """Read a file of images and sentences.

    Args:
        path (str or PathLike): A CSV or TSV file whose first line names the columns ``image`` and ``sentence``, or a
            JSON Lines file (or a JSON list) of objects with these keys.

    Returns:
        dict[str, list[SentenceRow]]: The rows of each image, in the order in which images first occur.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is of another form, holds no row, or a row lacks an image or a sentence.
    """
    path = os.fsdecode(path)
    if not Path(path).is_file():
        raise FileNotFoundError(f'There is no file of images and sentences {path}.')
    value = open_value(path)
    rows = _table_rows(path, value) if isinstance(value, TextTable) else _object_rows(path, value)
    found: Dict[str, List[SentenceRow]] = {}
    for row in rows:
        found.setdefault(row.image, []).append(row)
    if not found:
        raise ValueError(f'{path} has no row: it needs at least one image and sentence.')
    return found


def locate(image: str, pairs: Union[str, os.PathLike], folder: Optional[Union[str, os.PathLike]]) -> str:
    """The path of an image that a file of sentences names: relative paths are relative to ``folder``, or to the file's
    own folder if that is None."""
    base = Path(os.fsdecode(pairs)).parent if folder is None else Path(os.fsdecode(folder))
    return str(base / image)


def _table_rows(path: str, table: TextTable) -> Iterator[SentenceRow]:
    for column in (IMAGE, SENTENCE):
        if column not in table.columns:
            raise ValueError(f'{path} has no column {column!r}. Its columns are {", ".join(map(repr, table.columns))}: '
                             f'name those of images and sentences {IMAGE!r} and {SENTENCE!r} in its first line.')
    for number, cells in enumerate(table.rows, start=1):
        where = f'{path}: row {number} below the header'
        if None in cells or None in cells.values():
            raise ValueError(f'{where} has {"more" if None in cells else "fewer"} cells than the header. Put cells '
                             f'that have a comma or a line break into double quotes.')
        yield _read_row(cells, where)


def _object_rows(path: str, value: Any) -> Iterator[SentenceRow]:
    # A file of one line has only that.
    objects = [value] if isinstance(value, dict) else value
    if not isinstance(objects, list):
        raise ValueError(f'{path} holds neither a table nor JSON Lines with {IMAGE!r} and {SENTENCE!r}.')
    for number, one in enumerate(objects, start=1):
        where = f'{path}: object {number}'
        if not isinstance(one, dict):
            raise ValueError(f'{where} is {shorten(one)}, but an object with {IMAGE!r} and {SENTENCE!r} is needed.')
        yield _read_row(one, where)


def _read_row(cells: Dict[str, Any], where: str) -> SentenceRow:
    for column in (IMAGE, SENTENCE):
        if not (isinstance(cells.get(column), str) and cells[column].strip()):
            raise ValueError(f'{where} needs text as its {column!r}, but has {shorten(cells.get(column))}.')
    columns = {name: cell for name, cell in cells.items() if name not in (IMAGE, SENTENCE)}
    return SentenceRow(cells[IMAGE], cells[SENTENCE], columns)
