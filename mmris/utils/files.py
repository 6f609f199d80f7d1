"""Files that are either whole or absent, and what tells one from another."""

import errno
import hashlib
import os
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Iterator, Union

# What some network and FUSE mounts answer to a rename over a file that exists, and to calls that they do not have.
_KEEPS_EXISTING = (errno.EEXIST, errno.EPERM, errno.ENOTEMPTY)
_NOT_THERE = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)
_REMEDIES = {
    errno.ENOSPC: 'Free space on that disk',
    errno.EDQUOT: 'Free space within your quota on that disk',
    errno.EROFS: 'The disk is mounted read-only: name another folder',
    errno.EIO: 'The disk or its network mount fails: repair it, or name another folder',
    errno.EACCES: 'Nothing may be written there: name another folder',
    errno.EPERM: 'Nothing may be written there: name another folder',
}


@contextmanager
def write_atomically(path: Union[str, Path]) -> Iterator[Path]:
    """Give a temporary path to write to, and rename it to ``path`` when the block ends without an error.

    The temporary file lies beside ``path`` and keeps its suffix, so that writers that choose a format by suffix do
    the same. If the block raises, it is removed and an earlier file at ``path`` stays as it was.

    Args:
        path (str or Path): Where the finished file shall be. Missing parent folders are made.

    Yields:
        Path: The temporary path.

    Raises:
        OSError: If the disk is full or fails, or nothing may be written there; the message names ``path`` and what to
            do.
    """
    path, temporary = Path(path), None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f'.{path.stem}-', suffix=path.suffix)
        temporary = Path(name)
        os.close(handle)
        yield temporary
        _finish(temporary)
        replace(temporary, path)
    except OSError as error:
        if error.errno in _REMEDIES and error.filename in (None, str(path), str(temporary), str(path.parent)):
            raise OSError(
                error.errno, f'{path} was not written: {error.strerror}. {_REMEDIES[error.errno]}, then run the '
                f'command again (a training with --resume). An earlier file of this name is unchanged.') from error
        raise
    finally:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def _finish(temporary: Path) -> None:
    # mkstemp makes files that only their owner may read; a result is as readable as any other new file.
    umask = os.umask(0)
    os.umask(umask)
    # Mounts without owners refuse it.
    with suppress(PermissionError):
        temporary.chmod(0o666 & ~umask)
    # The content must be on the disk before the name is: machines fail too.
    with open(temporary, 'rb') as file:
        try:
            os.fsync(file.fileno())
        except OSError as error:
            if error.errno not in _NOT_THERE:
                raise


def replace(source: Path, path: Path) -> None:
    """Rename a file over another, also where the file system renames to free names alone.

    There, the other is renamed first, and comes back if the new one cannot take its name. A machine that fails in that
    moment leaves the old file under its name with ``.replaced`` behind it.

    Args:
        source (Path): The file.
        path (Path): Its new name, in the same folder.
    """
    try:
        os.replace(source, path)
    except OSError as error:
        if error.errno not in _KEEPS_EXISTING or not path.is_file():
            raise
        aside = path.with_name(f'.{path.name}.replaced')
        aside.unlink(missing_ok=True)
        path.rename(aside)
        try:
            source.rename(path)
        except BaseException:
            aside.rename(path)
            raise
        aside.unlink()


def digest_file(path: Union[str, Path]) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    with open(path, 'rb') as opened:
        return hashlib.file_digest(opened, 'sha256').hexdigest()
