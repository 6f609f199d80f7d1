"""A file while it is being downloaded: what is there of it, and which version of the server's file that is."""

import fcntl
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Mapping, Optional

from mmris.utils.file_content import START, name_content
from mmris.utils.json_files import JSON_ERRORS

from .disk_space import explain_write_error

_ZIP_STARTS = (b'PK\x03\x04', b'PK\x05\x06')


@dataclass(frozen=True)
class Version:
    """Which content a server has at an address.

    Attributes:
        length (int, optional): Bytes of the whole file. None: the server does not say.
        etag (str, optional): Its ETag.
        modified (str, optional): Its Last-Modified.
    """
    length: Optional[int] = None
    etag: Optional[str] = None
    modified: Optional[str] = None

    @classmethod
    def of_answer(cls, headers: Mapping[str, str], is_range: bool) -> 'Version':
        """Read a server's headers; those of a range say how long the whole is in Content-Range."""
        said = headers.get('Content-Range', '').rpartition('/')[2] if is_range else headers.get('Content-Length', '')
        # The Internet Archive passes headers of the server that it copied on under names of its own.
        etag, modified = (headers.get(name) or headers.get(f'x-archive-orig-{name}') for name in (
            'etag', 'last-modified'))
        return cls(int(said) if said.isdigit() else None, etag, modified)

    def is_same(self, other: 'Version') -> bool:
        """Whether both are surely the same content: lengths agree, and ETag, or else Last-Modified, if both have it."""
        if None not in (self.length, other.length) and self.length != other.length:
            return False
        if self.etag and other.etag:
            return self.etag == other.etag
        if self.modified and other.modified:
            return self.modified == other.modified
        return self.length is not None and other.length is not None


class Part:
    """What is there of a file that is being downloaded, locked against other processes.

    It lies at ``TARGET.part``, and ``TARGET.source.json`` beside it says which version of the file it is.

    Args:
        target (Path): Where the whole file shall be. Missing folders are made.

    Raises:
        BlockingIOError: If another process is downloading the same file.
        OSError: If the file cannot be opened.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(f'{target.name}.part')
        target.parent.mkdir(parents=True, exist_ok=True)
        # Without a buffer: what the system took is in the file, whatever happens next.
        self._file = os.fdopen(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666), 'r+b', buffering=0)
        lock(self._file, self.path)
        self.version = read_source(target)
        self.size = self._file.seek(0, os.SEEK_END)
        if self.size and (self.version is None or (self.version.length or self.size) < self.size):
            self.restart()

    @property
    def is_whole(self) -> bool:
        """bool: Whether as many bytes are there as the server said."""
        return self.version is not None and self.size == self.version.length

    def restart(self) -> None:
        """Drop what is there."""
        self._file.seek(0)
        self._file.truncate()
        self.size, self.version = 0, None

    def note(self, version: Version) -> None:
        """Write down which version of the file this is."""
        if version != self.version:
            source_path(self.target).write_text(json.dumps(asdict(version)) + '\n', encoding='utf-8')
        self.version = version

    def append(self, content: bytes) -> None:
        """Write what came.

        Raises:
            OSError: If the disk is full, or the file cannot be written; what is there stays.
        """
        rest = memoryview(content)
        while rest:
            try:
                written = self._file.write(rest)
            except OSError as error:
                raise explain_write_error(
                    error, self.path, f'It has {self.size:,} bytes so far. See to that, and run the same command '
                    f'again: it continues there.') from error
            self.size, rest = self.size + written, rest[written:]

    def read_start(self) -> bytes:
        """The first bytes, as many as tell what a file is."""
        return os.pread(self._file.fileno(), START, 0)

    def finish(self) -> None:
        """Give the whole file its name."""
        os.fsync(self._file.fileno())
        os.replace(self.path, self.target)

    def discard(self) -> None:
        """Remove what is there."""
        self.path.unlink(missing_ok=True)
        source_path(self.target).unlink(missing_ok=True)

    def close(self) -> None:
        """Let others have it. An empty one is removed."""
        if self.size == 0:
            self.discard()
        self._file.close()


def source_path(target: Path) -> Path:
    """Where the version of a downloaded file is noted. A file that a user put there has no such note."""
    return target.with_name(f'{target.name}.source.json')


def read_source(target: Path) -> Optional[Version]:
    """The version that is noted of a file. None: there is no note, or it is not whole."""
    try:
        noted = Version(**json.loads(source_path(target).read_text(encoding='utf-8')))
    except (OSError, *JSON_ERRORS, TypeError):
        return None
    texts = all(isinstance(one, (str, type(None))) for one in (noted.etag, noted.modified))
    return noted if texts and isinstance(noted.length, (int, type(None))) else None


def lock(file: IO[bytes], path: Path) -> None:
    """Lock an open file until it is closed.

    Args:
        file (file object): The file.
        path (Path): Its path, for the message.

    Raises:
        BlockingIOError: If another process has locked it.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise BlockingIOError(f'Another process is working on {path}. Wait until it ends.') from error
    except OSError:
        # Some network file systems have no locks.
        return


def unlike(start: bytes, is_archive: bool) -> Optional[str]:
    """Say what a file is if it is not of the kind that it should be.

    Args:
        start (bytes): Its first bytes.
        is_archive (bool): Whether it should be a zip archive, and not annotations.

    Returns:
        str, optional: What it is, to follow "it is". None if it may be what it should be.
    """
    what = name_content(start)
    if what is None and is_archive and not start.startswith(_ZIP_STARTS):
        return f'not a zip archive: it begins with {start[:20]!r}' if start else 'an empty file'
    return what
