"""Folders that are either whole or absent."""

import os
import re
import shutil
import sys
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator


@contextmanager
def write_folder(out: Path) -> Iterator[Path]:
    """Give a new folder to write to, and rename it to ``out`` when the block ends without an error.

    What is at ``out`` is replaced then. If the block raises, the new folder is removed and ``out`` stays as it was. A
    process that is killed leaves it behind; :func:`remove_leftovers` of a later one removes it.

    Args:
        out (Path): The goal, absolute. Missing parent folders are made.

    Yields:
        Path: The new folder.
    """
    # Beside the goal, hence on the same file system, so that renaming is atomic.
    partial = out.parent / f'.{out.name}.{uuid.uuid4().hex}.partial'
    try:
        partial.mkdir(parents=True)
        with _lock(partial):
            yield partial
            _move_into_place(partial, out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def remove_leftovers(out: Path) -> None:
    """Remove what killed processes left of :func:`write_folder`, and say so. What another still writes to stays.

    Args:
        out (Path): Their goal, absolute.
    """
    left = re.compile(rf'\.{re.escape(out.name)}\.[0-9a-f]{{32}}\.(partial|replaced)')
    for path in sorted(out.parent.iterdir()) if out.parent.is_dir() else ():
        if left.fullmatch(path.name):
            with _lock(path) as locked:
                if locked:
                    print(f'Removing {path}, which a killed run had left.', file=sys.stderr)
                    shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _lock(folder: Path) -> Iterator[bool]:
    """Lock a folder, and tell whether that worked: not if another has, nor where there are no such locks.

    A lock ends with its process, however that ends.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        yield False
        return
    try:
        yield _lock_descriptor(descriptor)
    finally:
        os.close(descriptor)


def _lock_descriptor(descriptor: int) -> bool:
    # Windows lacks it, where no folder can be opened either.
    import fcntl
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _move_into_place(partial: Path, out: Path) -> None:
    replaced = partial.with_suffix('.replaced')
    if out.exists():
        out.rename(replaced)
    try:
        partial.rename(out)
    except BaseException:
        if replaced.exists():
            replaced.rename(out)
        raise
    shutil.rmtree(replaced, ignore_errors=True)
