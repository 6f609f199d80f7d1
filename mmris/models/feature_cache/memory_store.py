"""Features of images in the memory of this process."""

from typing import Dict, Iterable

from .entries import Entry
from .room import Room


class MemoryStore:
    """Keeps entries in a dict.

    Args:
        room (Room): How much may be kept.
    """

    def __init__(self, room: Room) -> None:
        self.room = room
        self._entries: Dict[bytes, Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def size(self) -> int:
        """int: Bytes of all entries."""
        return sum(len(entry) for entry in self._entries.values())

    def read(self, digests: Iterable[bytes]) -> Dict[bytes, Entry]:
        """Return those of some images that there are, by digest."""
        return {digest: self._entries[digest] for digest in digests if digest in self._entries}

    def add(self, digest: bytes, entry: Entry) -> None:
        """Keep an entry, if there is room and none of that digest."""
        if digest not in self._entries and self.room.take(len(entry)):
            self._entries[digest] = entry
