"""Folders in which a process is watched, and what it may do in which."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, Optional, Tuple

from tests.conftest import ROOT
from tests.trust.audit import Violation, read_violations


class Scene:
    """A home, a work folder, a temporary folder and a folder of given files, all new.

    Args:
        folder (Path): Where they are made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.work, self.temporary, self.home, self.given = (folder / name for name in ('work', 'tmp', 'home', 'given'))
        for path in (self.work, self.temporary, self.home, self.given):
            path.mkdir(parents=True, exist_ok=True)
        self.log = folder / 'violations.jsonl'

    @property
    def writable(self) -> List[Path]:
        """list[Path]: Where files may be written: work folder, temporary folder, caches."""
        return [self.work, self.temporary, self.home / '.cache', self.home / '.config/matplotlib']

    def environment(self) -> Dict[str, str]:
        """Variables of a process that knows these folders alone."""
        kept = {name: value for name, value in os.environ.items()
                if not name.startswith(('HF_', 'XDG_', 'MMRIS_', 'GRADIO_', 'PYTEST_', 'MPL', 'TORCH'))}
        return dict(kept, HOME=str(self.home), TMPDIR=str(self.temporary), PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1',
                    PYTHONDONTWRITEBYTECODE='1', MMRIS_DEBUG='1')

    def run(self, *arguments: object, folder: Optional[Path] = None, timeout: float = 600, **variables: str) -> str:
        """Run Python to the end, in the work folder unless another one is named; its output, both streams."""
        done = subprocess.run([sys.executable, *map(str, arguments)], cwd=folder or self.work,
                              env={**self.environment(), **variables}, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=timeout)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def snapshot(self) -> Dict[str, Tuple[int, int]]:
        """Size and time of all files that nothing should change: given ones, and those of the home."""
        allowed = tuple(f'{one}{os.sep}' for one in self.writable)
        return {
            str(path): (path.stat().st_size, path.stat().st_mtime_ns)
            for folder in (self.given, self.home) for path in folder.rglob('*')
            if path.is_file() and not str(path).startswith(allowed)
        }

    def changed_since(self, before: Dict[str, Tuple[int, int]]) -> List[str]:
        """Which of them were changed, made or removed."""
        now = self.snapshot()
        return sorted(path for path in {*before, *now} if before.get(path) != now.get(path))

    def violations(self) -> List[Violation]:
        """What was listed."""
        return read_violations(self.log)
