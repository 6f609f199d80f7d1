"""Whether a disk has the space for what is to be written."""

import errno
import os
import shutil
from pathlib import Path
from typing import Dict, List, Tuple

from mmris.utils.sizes import in_words

# What the system says if nothing more can be written: the disk, a quota, or the largest size of a file.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def check_space(needs: List[Tuple[Path, int, str]]) -> None:
    """Check that the disks have the space for what is to be written.

    Args:
        needs (list[tuple]): For each thing to write: the folder (which need not exist yet), bytes, and what it is, in
            words. Those that are on the same disk are added.

    Raises:
        OSError: If a disk has less. The message says what is needed, what is free, and where.
    """
    by_disk: Dict[int, List[Tuple[Path, int, str]]] = {}
    for need in needs:
        by_disk.setdefault(os.stat(_existing(need[0])).st_dev, []).append(need)
    for group in by_disk.values():
        folder, needed = group[0][0], sum(size for _, size, _ in group)
        free = shutil.disk_usage(_existing(folder)).free
        if needed > free:
            parts = ' and '.join(f'{in_words(size)} for {what}' for _, size, what in group)
            raise OSError(
                f'There is too little space in {folder}: {in_words(needed)} are needed ({parts}), and '
                f'{in_words(free)} are free. Free some, or name a folder on another disk by --root.')


def explain_write_error(error: OSError, path: Path, remedy: str) -> OSError:
    """Return the error to raise if a file could not be written.

    Args:
        error (OSError): What the system raised.
        path (Path): The file.
        remedy (str): What to do, as a sentence.

    Returns:
        OSError: With the same number. The message says whether the disk is full, and the remedy.
    """
    full = error.errno in _FULL
    why = f'the disk is full ({error.strerror})' if full else error.strerror or str(error)
    explained = OSError(f'{path} cannot be written: {why}. {remedy}')
    explained.errno = error.errno
    return explained


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    return folder
