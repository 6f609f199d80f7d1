"""Files on their way from a visitor's browser to the page."""

import asyncio
import shutil
import time
from pathlib import Path
from typing import Sequence

from .limits import Limits


class Uploads:
    """The folder into which Gradio writes what is uploaded, each file into a folder of its own.

    The page reads a file at once, but the browser still shows it for a moment.

    Attributes:
        folder (Path): The folder, without links.

    Args:
        folder (Path): The folder, which is there.
        others (Sequence[Path]): What else lies in it, and stays.
        limits (Limits): How many files may be there, and for how long.
    """

    def __init__(self, folder: Path, others: Sequence[Path], limits: Limits) -> None:
        self.folder = folder.resolve()
        self._others = {other.resolve() for other in others}
        self._limits = limits

    def sweep(self) -> int:
        """Remove the files whose time is over.

        Returns:
            int: How many others there are.
        """
        left = 0
        for folder in set(self.folder.iterdir()) - self._others:
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
