"""Files that are either whole or absent, and what tells one from another."""

import hashlib
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, Union


@contextmanager
def write_atomically(path: Union[str, Path]) -> Iterator[Path]:
    """Give a temporary path to write to, and rename it to ``path`` when the block ends without an error.

    The temporary file lies beside ``path`` and keeps its suffix, so that writers that choose a format by suffix do
    the same. If the block raises, it is removed and an earlier file at ``path`` stays as it was.

    Args:
        path (str or Path): Where the finished file shall be. Missing parent folders are made.

    Yields:
        Path: The temporary path.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f'.{path.stem}-', suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes files that only their owner may read; a result is as readable as any other new file.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        # The content must be on the disk before the name is: machines fail too.
        with open(temporary, 'rb') as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def digest_file(path: Union[str, Path]) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    with open(path, 'rb') as opened:
        return hashlib.file_digest(opened, 'sha256').hexdigest()
