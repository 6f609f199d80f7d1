"""Features of images in files that many processes write and read at once.

Each process appends to a pair of files of its own: a shard with entries, and its index. Nobody else writes to them, so
nothing is locked, on shared file systems too. All processes read all pairs.

An entry is written to the shard first, then to the index. A process may be killed between any two bytes:

- an index that ends within a record is read up to its last whole record;
- a record with another checksum than its bytes have is skipped;
- an entry that the shard does not hold to its end, or that has another checksum than the index says, as after a power
  failure, is computed again.
"""

import logging
import os
import socket
import struct
import uuid
import zlib
from pathlib import Path
from typing import BinaryIO, Dict, Iterable, NamedTuple, Optional, Set, Tuple

import numpy as np
import torch
from mmengine.logging import print_log

from .entries import Entry
from .room import Room

SHARD, INDEX = '.features', '.index'
# Digest of the pixels, where the entry begins in the shard, bytes of its layout, bytes of its content, its CRC-32.
_RECORD = struct.Struct('<16sQIQI')
# Behind each record, its own CRC-32.
_CHECKSUM = struct.Struct('<I')
RECORD_BYTES = _RECORD.size + _CHECKSUM.size


class _Place(NamedTuple):
    """Where an entry lies."""

    shard: Path
    start: int
    layout_size: int
    content_size: int
    checksum: int


class _OwnFiles(NamedTuple):
    """What this process writes to."""

    process: int
    path: Path
    shard: BinaryIO
    index: BinaryIO


class DiskStore:
    """Keeps entries in a folder.

    Two processes that need an image at the same time may both compute and store it; the first one that is found is
    used.

    Args:
        folder (Path): The folder. It is made when the first entry is stored.
        room (Room): How much may be stored.
    """

    def __init__(self, folder: Path, room: Room) -> None:
        self.folder = folder
        self.room = room
        self._places: Dict[bytes, _Place] = {}
        self._read_of: Dict[str, int] = {}
        self._open: Dict[Path, BinaryIO] = {}
        self._checked: Set[Tuple[Path, int]] = set()
        self._own: Optional[_OwnFiles] = None
        self._look_for_new()

    def __len__(self) -> int:
        return len(self._places)

    @property
    def size(self) -> int:
        """int: Bytes of all entries."""
        return sum(place.layout_size + place.content_size for place in self._places.values())

    def read(self, digests: Iterable[bytes]) -> Dict[bytes, Entry]:
        """Return those of some images that there are, by digest; also what other processes have stored since."""
        digests = list(digests)
        if any(digest not in self._places for digest in digests):
            self._look_for_new()
        found = {digest: self._read_entry(digest) for digest in digests if digest in self._places}
        return {digest: entry for digest, entry in found.items() if entry is not None}

    def add(self, digest: bytes, entry: Entry) -> None:
        """Store an entry, if there is room and none of that digest.

        If it cannot be written, because the disk is full or the folder may not be written to, a warning says so, and
        this process stores nothing more.
        """
        if digest in self._places or not self.room.take(len(entry) + RECORD_BYTES):
            return
        try:
            self._append(digest, entry)
        except OSError as error:
            self.room.close(f'The feature cache cannot write to {self.folder}: {error}. Training continues, and this '
                            f'process stores nothing more: images that are not in the cache are computed in each '
                            f'epoch. Free space there, or set model.feature_cache.folder to another folder.')

    def _append(self, digest: bytes, entry: Entry) -> None:
        own = self._own_files()
        start = own.shard.tell()
        content = entry.content.numpy()
        place = _Place(own.path, start, len(entry.layout), len(content), _checksum(entry.layout, content))
        try:
            _write(own.shard, entry.layout)
            _write(own.shard, content)
        except OSError:
            # What was written of it takes room that others may need.
            own.shard.truncate(start)
            raise
        record = _RECORD.pack(digest, start, place.layout_size, place.content_size, place.checksum)
        _write(own.index, record + _CHECKSUM.pack(zlib.crc32(record)))
        self._read_of[own.index.name] = own.index.tell()
        self._places[digest] = place
        self._checked.add((place.shard, place.start))

    def _own_files(self) -> _OwnFiles:
        # A process that was forked must not write where its parent does.
        if self._own is None or self._own.process != os.getpid():
            self.folder.mkdir(parents=True, exist_ok=True)
            path = self.folder / f'{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}{SHARD}'
            # Unbuffered: what was written is where others can read it, and a full disk is noticed at once.
            shard, index = (open(one, 'xb', buffering=0) for one in (path, path.with_suffix(INDEX)))
            self._own = _OwnFiles(os.getpid(), path, shard, index)
        return self._own

    def _look_for_new(self) -> None:
        """Read what has been added to the indices of all processes."""
        for path in sorted(self.folder.glob(f'*{INDEX}')):
            done = self._read_of.get(str(path), 0)
            try:
                with open(path, 'rb') as index:
                    index.seek(done)
                    added = index.read()
            except FileNotFoundError:
                # Someone is clearing up.
                continue
            whole = len(added) // RECORD_BYTES * RECORD_BYTES
            self._read_of[str(path)] = done + whole
            for start in range(0, whole, RECORD_BYTES):
                record = added[start:start + _RECORD.size]
                if _CHECKSUM.unpack_from(added, start + _RECORD.size)[0] == zlib.crc32(record):
                    digest, *place = _RECORD.unpack(record)
                    self._places.setdefault(digest, _Place(path.with_suffix(SHARD), *place))

    def _read_entry(self, digest: bytes) -> Optional[Entry]:
        """Read an entry; None, with a warning, if it is damaged."""
        place = self._places[digest]
        try:
            layout, content = self._read_bytes(place)
        except OSError as error:
            return self._give_up(digest, f'cannot be read ({error})')
        if layout is None:
            return self._give_up(digest, 'ends before its last byte')
        # Once in each process: a file is never changed, only added to.
        if (place.shard, place.start) not in self._checked:
            if _checksum(layout, content) != place.checksum:
                return self._give_up(digest, 'has another checksum than when it was written')
            self._checked.add((place.shard, place.start))
        return Entry(layout, torch.from_numpy(content))

    def _read_bytes(self, place: _Place) -> Tuple[Optional[bytes], np.ndarray]:
        if place.shard not in self._open:
            self._open[place.shard] = open(place.shard, 'rb', buffering=0)
        shard = self._open[place.shard]
        shard.seek(place.start)
        layout, content = shard.read(place.layout_size), np.empty(place.content_size, dtype=np.uint8)
        left = memoryview(content)
        while left and (count := shard.readinto(left)):
            left = left[count:]
        return (None if left or len(layout) < place.layout_size else layout), content

    def _give_up(self, digest: bytes, fault: str) -> None:
        place = self._places.pop(digest)
        print_log(
            f'{place.shard}: the entry at byte {place.start} {fault}. It is computed again.',
            logger='current',
            level=logging.WARNING)


def _write(file: BinaryIO, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[file.write(left):]


def _checksum(layout: bytes, content: np.ndarray) -> int:
    return zlib.crc32(content, zlib.crc32(layout))
