"""What is fuzzed: a reader, and valid files to begin from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterable, Optional, Sequence

# Reads the content of a file, or raises.
Read = Callable[[bytes], object]
# Gets content, the most bytes of a result and a seed; returns other content.
Mutate = Callable[[bytes, int, int], bytes]


class WrongResultError(Exception):
    """A reader gave something that is not what the file holds."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A reader that is fuzzed.

    Args:
        name (str): What the command line and the table call it.
        readers (Sequence[str]): The modules that read. Their lines are counted.
        prepare (Callable): Gets an empty folder, puts there what has to stand beside the file, and returns what reads
            content: it writes the content to a file in that folder, if the reader takes a path.
        seeds (Callable): Gets another empty folder and returns valid contents.
        mutate (Callable, optional): Changes content so that its structure stays. Default: None, bytes are changed.
        names (Sequence[str]): What stands for the file in messages, if the reader takes no path. Default: none.
    """

    name: str
    readers: Sequence[str]
    prepare: Callable[[Path], Read]
    seeds: Callable[[Path], Iterable[bytes]]
    mutate: Optional[Mutate] = None
    names: Sequence[str] = ()


def reading_file(name: str, read: Callable[[Path], object]) -> Callable[[Path], Read]:
    """Make ``prepare`` of a reader of one file.

    Args:
        name (str): The file's name.
        read (Callable): Gets its path.
    """

    def prepare(folder: Path) -> Read:
        path = folder / name

        def read_content(content: bytes) -> object:
            path.write_bytes(content)
            return read(path)

        return read_content

    return prepare
