"""The folder that the results of a run are written to."""

import json
import os
import shutil
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, List

from mmris.utils.commands import SETTINGS, check_run_settings, save_run_settings
from mmris.utils.folder_lock import LOCK, hold_folder
from mmris.utils.json_files import JSON_ERRORS

#: COCO results; images and failures in COCO's form; all that was found, one image a line.
PREDICTIONS, IMAGES, RECORDS = 'predictions.json', 'images.json', 'records.jsonl'
#: Folders of what can be written beside them, by the name of the output.
FOLDERS = dict(masks='masks', overlays='overlays', videos='videos')
_PARTS = 'parts'
# What settings.json says of itself: other tools write files of this name too.
_KIND = 'predictions for images'


class ResultsFolder:
    """Where results lie, and what keeps two runs from mixing there.

    Args:
        path (Path): The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.parts = path / _PARTS

    @property
    def is_complete(self) -> bool:
        """bool: Whether a run has ended here."""
        return not self.parts.exists() and all(
            (self.path / name).is_file() for name in (PREDICTIONS, IMAGES, RECORDS))

    def record_files(self) -> List[Path]:
        """Files of records: of a run that has ended, then those that processes of a later one wrote."""
        ended = self.path / RECORDS
        return [*([ended] if ended.is_file() else []), *sorted(self.parts.glob('*.jsonl'))]

    def part(self, rank: int) -> Path:
        """The file of records of a process. Its folder is made if it is missing."""
        self.parts.mkdir(exist_ok=True)
        return self.parts / f'{rank}.jsonl'

    def file(self, output: str, name: str) -> Path:
        """The file of an output."""
        return self.path / FOLDERS[output] / name

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Keep other runs away while the block lasts.

        Raises:
            FolderInUseError: If another run has the folder.
        """
        with hold_folder(self.path, warnings.warn):
            yield

    def prepare(self, settings: Dict[str, Any], overwrite: bool) -> None:
        """Make the folder ready for a run, or for the rest of one.

        Args:
            settings (dict): All that decides what comes out.
            overwrite (bool): Whether to remove what an earlier run wrote.

        Raises:
            ValueError: If it holds a run of other settings, or something else than a run.
        """
        settings = dict(kind=_KIND, **settings)
        if any(path.name != LOCK for path in self.path.iterdir()) and not self._holds_run():
            raise ValueError(f'{self.path} holds files, but no predictions of an earlier run ({SETTINGS}): name a new '
                             f'or empty folder.')
        if overwrite:
            self._clear()
        check_run_settings(
            self.path,
            settings,
            run='predictions',
            remedy='give another folder, or overwrite what is there (--overwrite, in Python overwrite=True)')
        save_run_settings(self.path, settings)
        self._remove_unfinished()

    def _holds_run(self) -> bool:
        path = self.path / SETTINGS
        try:
            settings = json.loads(path.read_text(encoding='utf-8')) if path.is_file() else None
        except JSON_ERRORS:
            settings = None
        return isinstance(settings, dict) and settings.get('kind') == _KIND

    def _clear(self) -> None:
        # What says that images are finished first, and the settings last: without these, the rest would be files of
        # somebody else.
        for name in (_PARTS, RECORDS, PREDICTIONS, IMAGES, *FOLDERS.values(), SETTINGS):
            path = self.path / name
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def _remove_unfinished(self) -> None:
        """Remove files that a killed process was writing: none of ours has a name that begins with a point."""
        for folder, _, files in os.walk(self.path):
            for file in files:
                if file.startswith('.'):
                    Path(folder, file).unlink()
