"""Values of files of all formats in which sets are held."""

import codecs
import csv
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple
from xml.etree import ElementTree

from mmris.datasets.data_files import is_torch_archive, read_json_or_pickle
from mmris.utils.file_content import START

TFRECORDS = ('a TFRecord file of TensorFlow Datasets, whose ref_coco has boxes and no masks. Take refs(...).p with '
             'instances.json: mmris download refcoco.')
OF_TORCH = 0x1950a86a20f9469cfc6c
"""What ``torch.save`` of before 2020 begins its files with. It stands for a file of today's too, which is not read."""

# Of a page of LMDB's: two copies of its first page begin a file, each with this number at byte 16.
_LMDB = b'\xde\xc0\xef\xbe'


@dataclass(frozen=True)
class Folder:
    """A folder that is read as a whole.

    Attributes:
        path (Path): Where it is.
    """

    path: Path

    @cached_property
    def names(self) -> List[str]:
        """list[str]: Names of what is in it, sorted."""
        return sorted(os.listdir(self.path))


@dataclass(frozen=True)
class TextTable:
    """A CSV or TSV file with a header.

    Attributes:
        path (str): The file.
        columns (list[str]): Names in its first line.
        rows (list[dict[str, str]]): Its other lines, by these names.
    """

    path: str
    columns: List[str]
    rows: List[Dict[str, str]]


@dataclass(frozen=True)
class ParquetTable:
    """A Parquet file, whose rows are read when they are asked for.

    Attributes:
        path (str): The file.
    """

    path: str

    @cached_property
    def _opened(self) -> Tuple[Any, List[str]]:
        """The file, and the names of its columns."""
        try:
            from pyarrow import parquet
        except ImportError as error:
            raise ImportError(f'{self.path} is a Parquet file, which is read by pyarrow. Install it: '
                              f'pip install "mmris[maintained,parquet]".') from error
        try:
            file = parquet.ParquetFile(self.path)
            return file, list(file.schema_arrow.names)
        except Exception as error:
            # pyarrow raises whatever its parsing of broken bytes runs into.
            raise ValueError(f'{self.path} is not a whole Parquet file ({error}). Download it again.') from error

    @property
    def columns(self) -> List[str]:
        """list[str]: Names of its columns.

        Raises:
            ImportError: If pyarrow is not installed.
            ValueError: If the file is truncated or damaged.
        """
        return self._opened[1]

    def rows(self, columns: List[str]) -> Iterator[Dict[str, Any]]:
        """Read some columns of all rows, some hundred rows at a time.

        Args:
            columns (list[str]): Which ones; images in others are not read.

        Yields:
            dict[str, Any]: A row in plain containers.

        Raises:
            ValueError: If the file is damaged.
        """
        try:
            for batch in self._opened[0].iter_batches(batch_size=512, columns=columns):
                yield from batch.to_pylist()
        except Exception as error:
            # As above.
            raise ValueError(f'{self.path} is damaged ({error}). Download it again.') from error


def open_value(path: str) -> Any:
    """Read a file or folder of any format, whatever its name says.

    Args:
        path (str): Where it is.

    Returns:
        Any: See :attr:`SourceFile.value`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is of another format, or not whole; the message says what it is, where that can be seen.
    """
    if os.path.isdir(path):
        if os.path.isfile(os.path.join(path, 'data.mdb')):
            raise ValueError(_describe_lmdb(path))
        return Folder(Path(path))
    with open(path, 'rb') as file:
        start = file.read(START)
    if start.startswith(b'PAR1'):
        table = ParquetTable(path)
        # A file that is not whole, and a missing pyarrow, are told here, so that no form has to expect them.
        table.columns  # noqa: B018
        return table
    if '.tfrecord' in os.path.basename(path):
        raise ValueError(f'{path} is {TFRECORDS}')
    if start[16:20] == _LMDB:
        raise ValueError(_describe_lmdb(path))
    if start.startswith(b'MATLAB '):
        raise ValueError(f'{path} is a MATLAB file, as the older ReferIt files have for masks. Take the same set as '
                         f'RefClef, which is read: mmris download refclef.')
    if _begins_as_xml(start):
        return _read_xml(path)
    if path.lower().endswith(('.csv', '.tsv')):
        return _read_table(path)
    if is_torch_archive(path):
        return OF_TORCH
    return read_json_or_pickle(path)


def _describe_lmdb(path: str) -> str:
    return (f'{path} is an LMDB, as CRIS packs sets into. It has no ids and may hold pickled objects, so it is not '
            f'read. Take the files that it was made from: refs(...).p with instances.json, or CRIS\'s anns/*.json '
            f'with masks/*.png.')


def _begins_as_xml(start: bytes) -> bool:
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        # A character may be cut in two at the end.
        start = start.decode('utf-16', 'ignore').encode()
    text = start.lstrip(b'\xef\xbb\xbf \t\r\n').lower()
    return text.startswith((b'<?xml', b'<annotations'))


class _TreeWithoutDoctype(ElementTree.TreeBuilder):
    """Refuses what annotations do not need: a DOCTYPE may define entities that grow to any size."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def doctype(self, name: str, public: str, system: str) -> None:
        raise ValueError(f'{self._path} has a DOCTYPE ({name}), which exports of annotations do not have and which is '
                         f'not read. Export the file again, or remove the DOCTYPE.')


def _read_xml(path: str) -> ElementTree.Element:
    try:
        return ElementTree.parse(path, ElementTree.XMLParser(target=_TreeWithoutDoctype(path))).getroot()
    except (ElementTree.ParseError, LookupError) as error:
        raise ValueError(f'{path} is not a whole XML file ({error}). Export or fetch it again.') from error


def _read_table(path: str) -> TextTable:
    try:
        with open(path, encoding='utf-8-sig', newline='') as file:
            sample = file.readline()
            file.seek(0)
            delimiter = max('\t;,', key=sample.count)
            reader = csv.DictReader(file, delimiter=delimiter, strict=True)
            rows, columns = list(reader), list(reader.fieldnames or ())
    except UnicodeDecodeError as error:
        raise ValueError(f'{path} is not text in UTF-8 ({error.reason} at byte {error.start:,}). Save it as UTF-8.'
                         ) from error
    except csv.Error as error:
        raise ValueError(f'{path} is not a whole CSV file ({error}, line {reader.line_num}). Save it again.') from error
    if not columns:
        raise ValueError(f'{path} {"has an empty first line" if sample else "is empty"}. The first line of a CSV file '
                         f'names its columns. Save it again.')
    return TextTable(path, columns, rows)
