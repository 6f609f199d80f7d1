"""Files on their way from a visitor's browser to the page."""

import asyncio
import re
import shutil
import time
from pathlib import Path

from .limits import Limits

# Gradio calls a file's folder by the SHA-256 of what is in it.
_FOLDERS = re.compile('[0-9a-f]{64}')


class Uploads:
    """The files that Gradio writes when something is uploaded, each into a folder of its own.

    The page reads a file at once, but the browser still shows it for a moment.

    Attributes:
        folder (Path): Where these folders are, beside others, without links.

    Args:
        folder (Path): The same, which is there.
        limits (Limits): How many files may be there, and for how long.
    """

    def __init__(self, folder: Path, limits: Limits) -> None:
        self.folder = folder.resolve()
        self._limits = limits

    def sweep(self) -> int:
        """Remove the files whose time is over.

        Returns:
            int: How many others there are.
        """
        left = 0
        for folder in self.folder.iterdir():
            if not _FOLDERS.fullmatch(folder.name):
                continue
            if time.time() - folder.stat().st_mtime > self._limits.upload_seconds:
                shutil.rmtree(folder, ignore_errors=True)
            else:
                left += 1
        return left

    def has_room(self) -> bool:
        """Whether another file may come."""
        return self.sweep() < self._limits.uploads

    async def keep_sweeping(self) -> None:
        """Remove files whose time is over, until this task is cancelled."""
        while True:
            await asyncio.sleep(self._limits.upload_seconds / 4)
            self.sweep()
