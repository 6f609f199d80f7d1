"""What a run has finished, in JSON Lines that survive a kill at any moment."""

import json
import os
from pathlib import Path
from typing import Any, BinaryIO, Dict, Iterable, List, NamedTuple

from mmris.utils.json_files import parse_json
from mmris.utils.text import shorten


class RecordFile:
    """The records of one process. They are added at the end, and are on the disk when :meth:`add` returns.

    What a killed process left of a last line is cut off first.

    Args:
        path (Path): The file. It is made if it is missing.
    """

    def __init__(self, path: Path) -> None:
        self._file = open(path, 'a+b')
        self._file.truncate(_end_of_lines(self._file))

    def add(self, records: Iterable[Dict[str, Any]]) -> None:
        """Add records, one a line."""
        self._file.write(b''.join(encode_record(record) for record in records))
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class RecordPlace(NamedTuple):
    """Where the record of an image is.

    Attributes:
        path (Path): The file.
        offset (int): The first byte of its line.
        batch_read (int): How many images of its batch could be read when it was made.
        failed (bool): Whether the image could not be read.
    """

    path: Path
    offset: int
    batch_read: int
    failed: bool


def encode_record(record: Dict[str, Any]) -> bytes:
    """The line of a record: the same bytes for the same record."""
    return json.dumps(record).encode('ascii') + b'\n'


def find_records(paths: Iterable[Path]) -> Dict[int, RecordPlace]:
    """Find the records of images, without keeping them.

    Args:
        paths (Iterable[Path]): Files of records. A last line that is not whole is no record.

    Returns:
        dict[int, RecordPlace]: By the number of the image. Of several records of one, that of the batch of which most
        could be read: a broken file may have been replaced since the others.

    Raises:
        ValueError: If a line is no record; the message names file and line.
    """
    found: Dict[int, RecordPlace] = {}
    for path in paths:
        with open(path, 'rb') as file:
            offset = 0
            for number, line in enumerate(file, 1):
                if line.endswith(b'\n'):
                    record = _parse(line, f'{path}, line {number}')
                    place = RecordPlace(path, offset, record['batch_read'], 'error' in record)
                    known = found.get(record['index'])
                    if known is None or known.batch_read < place.batch_read:
                        found[record['index']] = place
                offset += len(line)
    return found


def _parse(line: bytes, where: str) -> Dict[str, Any]:
    remedy = 'Remove the line, or overwrite the folder (--overwrite, in Python overwrite=True).'
    record = parse_json(line, where, remedy)
    if not isinstance(record, dict) or not all(type(record.get(name)) is int for name in ('index', 'batch_read')):
        raise ValueError(f'{where} is {shorten(record)}, but a record has whole numbers index and batch_read. {remedy}')
    return record


class RecordReader:
    """Reads records one by one, in any order. Use it in a ``with`` block."""

    def __init__(self) -> None:
        self._files: Dict[Path, BinaryIO] = {}

    def __enter__(self) -> 'RecordReader':
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files.values():
            file.close()

    def read(self, place: RecordPlace) -> Dict[str, Any]:
        """Read the record at a place."""
        if place.path not in self._files:
            self._files[place.path] = open(place.path, 'rb')
        file = self._files[place.path]
        file.seek(place.offset)
        return json.loads(file.readline())


def find_unfinished(batches: List[range], found: Dict[int, RecordPlace]) -> List[int]:
    """List batches of which not every image has a record.

    Args:
        batches (list[range]): Numbers of the images of each batch.
        found (dict[int, RecordPlace]): See :func:`find_records`.

    Returns:
        list[int]: Which batches, in order. The images of one batch go through the model together or not at all, so
        that the bits of a result do not depend on where a run was killed.
    """
    unfinished = []
    for number, batch in enumerate(batches):
        together = {found[index].batch_read if index in found else None for index in batch}
        if None in together or len(together) > 1:
            unfinished.append(number)
    return unfinished


def _end_of_lines(file: BinaryIO) -> int:
    """The place behind the last line break, looked for from the end."""
    end = file.seek(0, os.SEEK_END)
    while end > 0:
        start = max(0, end - 65536)
        file.seek(start)
        place = file.read(end - start).rfind(b'\n')
        if place >= 0:
            return start + place + 1
        end = start
    return 0
