"""How much a feature cache may hold."""

import logging
import time
from contextlib import suppress
from pathlib import Path
from typing import Dict, Optional

from mmengine.logging import print_log

from mmris.utils.sizes import in_words

# Seconds after which the sizes of all files are looked up again: other processes write too.
_OUTDATED = 10.0


class Room:
    """Counts the bytes of a feature cache, and says when nothing more is to be stored.

    Args:
        maximum (int): Bytes that there may be.
        folder (Path, optional): Where they are counted, other stores and other processes included; each process may
            go beyond ``maximum`` by what the others write within ten seconds. None: what this process keeps in memory.
    """

    def __init__(self, maximum: int, folder: Optional[Path] = None) -> None:
        self.maximum = maximum
        self.folder = folder
        self.is_closed = False
        self._used = 0
        self._counted_at = -_OUTDATED

    def take(self, size: int) -> bool:
        """Ask for room. The first time that there is none, a warning says so.

        Args:
            size (int): Bytes.

        Returns:
            bool: Whether that much may be stored.
        """
        if self.is_closed:
            return False
        if self.folder is not None and time.monotonic() - self._counted_at >= _OUTDATED:
            self._used, self._counted_at = sum(folder_sizes(self.folder).values()), time.monotonic()
        if self._used + size > self.maximum:
            place = 'in memory' if self.folder is None else f'in {self.folder}'
            self.close(f'The feature cache {place} holds {in_words(self._used)}, and '
                       f'model.feature_cache.max_gigabytes={self.maximum / 1e9:g} allows no more. Images that are not '
                       f'in it are computed in each epoch. Raise max_gigabytes, store float16, or remove the folders '
                       f'of models that you no longer use.')
            return False
        self._used += size
        return True

    def close(self, reason: str) -> None:
        """Store nothing more in this process, and warn why.

        Args:
            reason (str): The warning.
        """
        if not self.is_closed:
            self.is_closed = True
            print_log(reason, logger='current', level=logging.WARNING)


def folder_sizes(folder: Path) -> Dict[str, int]:
    """Add up the files of each folder in a folder.

    Args:
        folder (Path): It may be missing.

    Returns:
        dict[str, int]: Bytes by the folders' names.
    """
    sizes: Dict[str, int] = {}
    for path in folder.glob('*/*'):
        # Someone may be clearing up.
        with suppress(FileNotFoundError):
            sizes[path.parent.name] = sizes.get(path.parent.name, 0) + path.stat().st_size
    return dict(sorted(sizes.items()))
