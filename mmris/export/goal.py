"""The folder that an export is written to."""

import json
from pathlib import Path
from typing import Set, Union

from mmris.runtime.card import CARD, FORMAT


def check_goal(out: Union[str, Path]) -> None:
    """Check that an export may be written to a folder, before the work that it is the result of.

    Args:
        out (str or Path): The folder.

    Raises:
        FileExistsError: If it is a file, or holds anything but an export.
    """
    out = Path(out)
    if not out.exists() and not out.is_symlink():
        return
    if not out.is_dir():
        raise FileExistsError(f'{out} is a file, but a folder is to be written. Name another.')
    there = {path.name for path in out.iterdir()}
    foreign = sorted(there - _files_of_export(out))
    if foreign:
        raise FileExistsError(f'{out} is not empty, and would be replaced, but it is not an exported model alone: it '
                              f'has {foreign[0]}. Name another folder, or empty this one.')


def _files_of_export(folder: Path) -> Set[str]:
    """Names of the files that belong to the export in a folder; empty if there is none."""
    try:
        card = json.loads((folder / CARD).read_text(encoding='utf-8'))
        return {CARD, *card['files']} if card['format'] == FORMAT else set()
    except (OSError, ValueError, RecursionError, KeyError, TypeError):
        return set()
