"""Scores of a split that an evaluation has finished, so that one that is stopped need not repeat it."""

import json
from pathlib import Path
from typing import Any, Dict

from mmengine.dist import broadcast_object_list, is_main_process

from mmris.utils.commands import plain
from mmris.utils.json_files import JSON_ERRORS, write_json_file


class PartialScores:
    """The file of a split's scores while an evaluation is under way. The main process reads and writes it.

    Args:
        path (str): The file.
        settings (dict): All that decides the scores. A file of other settings is not used.
    """

    def __init__(self, path: str, settings: Dict[str, Any]) -> None:
        self.path = Path(path)
        self._settings = plain(settings)

    def read(self) -> Dict[str, Any]:
        """Read the scores.

        Returns:
            dict[str, Any]: The same in all processes; empty if there is no file of these settings.
        """
        read = [self._read() if is_main_process() else None]
        broadcast_object_list(read)
        return read[0]

    def _read(self) -> Dict[str, Any]:
        try:
            content = json.loads(self.path.read_text(encoding='utf-8'))
        except (FileNotFoundError, *JSON_ERRORS):
            return {}
        # Whatever else is there, the split is evaluated anew.
        own = isinstance(content, dict) and content.get('settings') == self._settings
        return content.get('scores', {}) if own else {}

    def write(self, scores: Dict[str, Any]) -> None:
        """Write the scores."""
        if is_main_process():
            content = dict(settings=self._settings, scores=scores)
            write_json_file(self.path, content, default=_as_list)

    def remove(self) -> None:
        """Remove the file."""
        if is_main_process():
            self.path.unlink(missing_ok=True)


def _as_list(value: Any) -> Any:
    # Arrays and numbers of NumPy and PyTorch, of metrics of other projects.
    return value.tolist()
