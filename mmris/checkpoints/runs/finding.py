"""Finding the checkpoint of a run to resume from, or to begin another training from."""

import os
import re
from logging import Logger
from pathlib import Path
from typing import Dict, List, Optional, Tuple, Union

from mmris.zoo import MODEL, find_model, find_weights, suggest

from ..files import UnreadableCheckpointError, read_checkpoint

# MMEngine writes here which file it saved last.
POINTER = 'last_checkpoint'
# In the work folder of a training that was asked to end, until it is resumed: signal, progress and checkpoint.
PREEMPTED = 'preempted.json'
_NUMBERED = re.compile(r'(epoch|iter)_(\d+)(?:_iter_(\d+))?\.pth')
_BEST = re.compile(r'best_(.+)_(epoch|iter)_(\d+)\.pth')


def find_checkpoints(work_dir: Union[str, Path]) -> List[Path]:
    """Find the checkpoints that a run left in its folder: the one to resume from first, then those before it.

    The first is what the file ``last_checkpoint`` names. Checkpoints with a higher number are of an earlier run in the
    same folder, and left out. Without that file, the highest number is first.

    Args:
        work_dir (str or Path): The run's folder. Checkpoints lie there, or, where none do, where ``last_checkpoint``
            says.

    Returns:
        list[Path]: ``epoch_<n>.pth`` or ``iter_<n>.pth`` by falling number, and of a training that stopped within an
        epoch ``epoch_<n>_iter_<m>.pth``, after n whole epochs and m steps in all; empty if there is none.
    """
    folder = Path(work_dir)
    pointer = folder / POINTER
    last_path = _read_pointer(pointer) if pointer.is_file() else folder
    numbers = _find_numbered(folder)
    # Never where a copy of a run's folder came from: only a folder without checkpoints has them elsewhere.
    if not numbers and last_path.is_file():
        numbers = _find_numbered(last_path.parent)
    last = _NUMBERED.fullmatch(last_path.name)
    if last is not None:
        numbers = {
            path: number
            for path, number in numbers.items() if path.name.startswith(last[1]) and number <= _number(last)
        }
    return sorted(numbers, key=lambda path: numbers[path], reverse=True)


def _read_pointer(pointer: Path) -> Path:
    """The file that MMEngine noted; the folder if what is there now is no path."""
    try:
        path = Path(os.fsdecode(pointer.read_bytes()).strip())
        path.is_file()
        return path
    except (OSError, ValueError):
        return pointer.parent


def _find_numbered(folder: Path) -> Dict[Path, Tuple[int, int]]:
    return {path: _number(match) for path in folder.glob('*.pth') if (match := _NUMBERED.fullmatch(path.name))}


def _number(match: re.Match) -> Tuple[int, int]:
    """Epochs (or steps) that are done, and then steps in all if the checkpoint is of the middle of an epoch."""
    return int(match[2]), int(match[3] or 0)


def name_within_epoch(epoch: int, iter: int) -> str:
    """Name the checkpoint of a training that stopped within an epoch.

    Args:
        epoch (int): Whole epochs that are done.
        iter (int): Steps that are done in all.

    Returns:
        str: The file name.
    """
    return f'epoch_{epoch}_iter_{iter}.pth'


def find_within_epoch(folder: Union[str, Path]) -> List[Path]:
    """Find the checkpoints of a folder that :func:`name_within_epoch` has named, in no order."""
    found = ((path, _NUMBERED.fullmatch(path.name)) for path in Path(folder).glob('epoch_*_iter_*.pth'))
    return [path for path, match in found if match is not None and match[3] is not None]


def last_whole_checkpoint(work_dir: str, logger: Logger) -> Optional[str]:
    """Find the last checkpoint of a work folder that can be read, and remove temporary files that a killed run left.

    Args:
        work_dir (str): The folder.
        logger (Logger): Gets a warning of each checkpoint that is not whole.

    Returns:
        str, optional: The file. None if there is no checkpoint.

    Raises:
        UnreadableCheckpointError: If there are checkpoints, and none is whole.
    """
    remove_temporary_files(work_dir)
    found = find_checkpoints(work_dir)
    for path in found:
        try:
            read_checkpoint(path)
            return str(path)
        except UnreadableCheckpointError as error:
            logger.warning(f'{error} Trying the checkpoint before it.')
    if found:
        raise UnreadableCheckpointError(
            f'None of the checkpoints in {work_dir} is whole: {", ".join(path.name for path in found)}. Remove them to '
            f'start anew.')
    return None


def best_checkpoint(work_dir: Union[str, Path]) -> Path:
    """Find the best checkpoint that a run left in its folder, by the metric that its config names.

    Args:
        work_dir (str or Path): The run's folder.

    Returns:
        Path: ``best_<metric>_<epoch or iter>_<n>.pth``. Of several of one metric, which runs that were killed leave,
        the one written last.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If there are those of several metrics.
    """
    found = {path: match for path in Path(work_dir).glob('best_*.pth') if (match := _BEST.fullmatch(path.name))}
    if not found:
        raise FileNotFoundError(
            f'There is no best_*.pth in {work_dir}, which a training leaves after its first validation. Train it to '
            f'the end (--resume continues it), or name a checkpoint file.')
    metrics = sorted({match[1] for match in found.values()})
    if len(metrics) > 1:
        names = ', '.join(sorted(path.name for path in found))
        raise ValueError(f'{work_dir} holds the best checkpoints by {" and ".join(metrics)}: name one of {names}.')
    return max(found, key=lambda path: (path.stat().st_mtime_ns, int(found[path][3])))


def resolve_load_from(load_from: str) -> str:
    """Find the file that ``load_from`` names: a checkpoint, the best of a training's work folder, or one of the zoo.

    Args:
        load_from (str): A file, a folder, an address, or a whole model's name in the zoo.

    Returns:
        str: The file or address.

    Raises:
        FileNotFoundError: If it is no file, no folder with a best checkpoint, and no name in the zoo.
        ValueError: If the zoo's name is of towers.
        FileNotFoundError, ConnectionError, ValueError: If the zoo's file cannot be fetched.
    """
    load_from = str(load_from)
    if find_model(load_from, folders=True) is not None:
        return find_weights(load_from, MODEL)
    if '://' in load_from or Path(load_from).is_file():
        return load_from
    if Path(load_from).is_dir():
        return str(best_checkpoint(load_from))
    raise FileNotFoundError(
        f'load_from={load_from!r} is neither a checkpoint nor the work folder of a training. Train the stage that '
        f'leaves it first, or name a file: --cfg-options load_from=FILE.{suggest(load_from)}')


def remove_temporary_files(work_dir: Union[str, Path]) -> None:
    """Remove the temporary files of checkpoints that a killed run was writing."""
    for path in Path(work_dir).glob('.*.pth'):
        if path.name.startswith(('.epoch_', '.iter_', '.best_')):
            path.unlink(missing_ok=True)
