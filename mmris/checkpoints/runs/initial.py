"""What a training began from: noted in its folder, so that a replaced file is seen when it goes on."""

from pathlib import Path
from typing import Dict, List, Sequence

from mmengine.config import Config

from mmris.utils.files import digest_file
from mmris.utils.json_files import read_json_file, write_json_file
from mmris.utils.text import shorten

from .finding import best_checkpoint, find_checkpoints

# In a training's folder: the files that it began from, with their SHA-256.
BEGAN_FROM = 'began_from.json'


def find_initial_checkpoints(config: Config) -> List[Path]:
    """Find what a config begins from: ``load_from``, and its encoder's ``pretrained``.

    Args:
        config (Config): The config.

    Returns:
        list[Path]: Files, and work folders of other trainings, whether they are there or not. Addresses, and names of
        what is downloaded, are left out.
    """
    named = (config.get('load_from'), config.model.encoder.get('pretrained'))
    return [Path(one) for one in named if one and '://' not in one and ('/' in one or Path(one).exists())]


def note_initial_checkpoints(folder: Path, checkpoints: Sequence[Path]) -> None:
    """Write down what a training begins from; one that has a checkpoint has begun before, and keeps its note.

    Args:
        folder (Path): The training's folder.
        checkpoints (Sequence[Path]): Of :func:`find_initial_checkpoints`. One that is missing is left out: the
            training itself will say so.
    """
    if not find_checkpoints(folder):
        write_json_file(folder / BEGAN_FROM, _digest(checkpoints))


def check_initial_checkpoints(folder: Path, checkpoints: Sequence[Path]) -> None:
    """Check that what a training began from is still what its config begins from.

    Args:
        folder (Path): The training's folder. One without a checkpoint, or without a note, passes.
        checkpoints (Sequence[Path]): Of :func:`find_initial_checkpoints`.

    Raises:
        ValueError: If a file has been replaced since; the message names it. If the note is damaged.
    """
    path = folder / BEGAN_FROM
    if not path.is_file() or not find_checkpoints(folder):
        return
    remedy = f'Remove {folder}, so that the training begins anew.'
    began, now = read_json_file(path, remedy), _digest(checkpoints)
    if not isinstance(began, dict):
        raise ValueError(f'{path} holds {shorten(began)} instead of the files that the training began from. {remedy}')
    changed = [name for name in began if name in now and began[name] != now[name]]
    if changed:
        raise ValueError(
            f'{folder} was begun from {" and ".join(changed)}, which has been replaced since. Remove {folder}, so that '
            f'it begins from the new one, or put the old one back.')


def _digest(checkpoints: Sequence[Path]) -> Dict[str, str]:
    # What is missing, and folders of weights as others publish them, are left out.
    digests = {}
    for start in checkpoints:
        file = best_checkpoint(start) if any(start.glob('best_*.pth')) else start
        if file.is_file():
            digests[str(start)] = digest_file(file)
    return digests
