"""Weights that lie in several files beside an index, as the Hugging Face hub has large ones."""

import json
import re
from pathlib import Path
from typing import Optional, Tuple

from mmris.utils.json_files import JSON_ERRORS

from .kinds import UnreadableCheckpointError, unreadable

# Weights in a folder as the Hugging Face hub gives it, the safe ones first. open_clip's stand beside timm's now and
# then, which are the image tower alone.
WEIGHTS_NAMES = (
    'open_clip_model.safetensors', 'model.safetensors', 'model.safetensors.index.json', 'open_clip_pytorch_model.bin',
    'pytorch_model.bin', 'pytorch_model.bin.index.json')
_SHARD = re.compile(r'(.+)-(\d{5})-of-(\d{5})(\.\w+)')


def find_weights_in(folder: Path) -> Optional[Path]:
    """Find the weights in a folder as the Hugging Face hub gives it: one file, or the index of several.

    Args:
        folder (Path): The folder.

    Returns:
        Path, optional: The file. None if there is none of a usual name.
    """
    return next((folder / name for name in WEIGHTS_NAMES if (folder / name).is_file()), None)


def read_index(local: Path, name: str) -> Tuple[Path, ...]:
    """Read which files of weights an index names.

    Args:
        local (Path): The index, a JSON file with ``weight_map``.
        name (str): What to call it in messages.

    Returns:
        tuple[Path]: The files, which lie in its folder, in the order of their names.

    Raises:
        UnreadableCheckpointError: If it is no such index, or names a file in another folder.
        FileNotFoundError: If some of the files are missing; the message lists them.
    """
    try:
        names = sorted(set(json.loads(local.read_text(encoding='utf-8'))['weight_map'].values()))
    except (*JSON_ERRORS, KeyError, TypeError, AttributeError) as error:
        raise unreadable(name, 'it is JSON text, but no index of weights in several files') from error
    elsewhere = [one for one in names if not isinstance(one, str) or Path(one).name != one]
    if elsewhere or not names:
        raise unreadable(name, f'it is an index that names {elsewhere[0] if elsewhere else "no files"!r}')
    missing = [one for one in names if not (local.parent / one).is_file()]
    if missing:
        raise FileNotFoundError(
            f'{name} says that the weights lie in {len(names)} files beside it, but these are missing: '
            f'{", ".join(missing)}. Fetch them too.')
    return tuple(local.parent / one for one in names)


def check_no_shard(path: str) -> None:
    """Check that a file is not one of several by its name.

    Args:
        path (str): The file, or an address.

    Raises:
        UnreadableCheckpointError: If it is, as ``model-00001-of-00003.safetensors`` is.
    """
    match = _SHARD.fullmatch(Path(path).name)
    if match and int(match[3]) > 1:
        raise UnreadableCheckpointError(
            f'{path} has one of {int(match[3])} parts of the weights. Give the folder, or the index '
            f'{match[1]}{match[4]}.index.json, to read all of them.')
