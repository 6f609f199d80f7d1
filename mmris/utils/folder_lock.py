"""A folder that one run at a time writes to."""

import errno
import json
import os
import socket
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Iterator, Optional, Union

LOCK = 'run.lock'
# What file systems say that have no locks, such as Lustre without its option.
_WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL, errno.EBADF)


class FolderInUseError(RuntimeError):
    """A folder that another run is writing to."""


@contextmanager
def hold_folder(folder: Union[str, Path], warn: Callable[[str], None]) -> Iterator[None]:
    """Keep other runs out of a folder while the block lasts, also those of other machines that share it.

    The lock is on the file ``run.lock`` in the folder, which names who has it. It ends with the process, however that
    ends. Where the file system has no locks, the folder is not protected.

    Args:
        folder (str or Path): The folder. It is made if it is missing.
        warn (Callable): Gets a sentence if the file system has no locks.

    Raises:
        FolderInUseError: If another run has the folder; the message names its process and machine.
        OSError: If the file cannot be written.
    """
    path = Path(folder) / LOCK
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = _open_locked(path, warn)
    # Forked processes would hold the lock longer than this process lives.
    held = _Held(descriptor)
    os.register_at_fork(after_in_child=held.close)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        held.close()


class _Held:
    """A descriptor that is closed once."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: Optional[int] = descriptor

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _open_locked(path: Path, warn: Callable[[str], None]) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(descriptor, path, warn)
            if _is_same_file(descriptor, path):
                os.ftruncate(descriptor, 0)
                os.write(descriptor, json.dumps(dict(host=socket.gethostname(), pid=os.getpid())).encode())
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        # The run that had it has removed the file in the meantime.
        os.close(descriptor)


def _lock(descriptor: int, path: Path, warn: Callable[[str], None]) -> None:
    try:
        # Windows lacks it.
        import fcntl
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise FolderInUseError(
            f'Another run is writing to {path.parent}: {_holder(descriptor)}. Wait until it ends, end it, or name '
            f'another folder.') from error
    except (ImportError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in _WITHOUT_LOCKS:
            raise
        warn(f'The file system of {path.parent} has no locks ({error}): nothing keeps a second run out of this folder. '
             f'Start none.')


def _is_same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _holder(descriptor: int) -> str:
    try:
        holder = json.loads(os.pread(descriptor, 1000, 0))
        return f'process {holder["pid"]} on {holder["host"]}'
    except (ValueError, KeyError, TypeError):
        # It has not written its name yet.
        return 'a process that has just begun'
