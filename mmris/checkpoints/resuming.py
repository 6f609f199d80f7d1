"""Which checkpoints of a run there are, to go on or to begin from."""

import re
from pathlib import Path
from typing import Dict, List, Union

# MMEngine writes here which file it saved last.
POINTER = 'last_checkpoint'
_NUMBERED = re.compile(r'(epoch|iter)_(\d+)\.pth')
_BEST = re.compile(r'best_(.+)_(epoch|iter)_(\d+)\.pth')


def find_checkpoints(work_dir: Union[str, Path]) -> List[Path]:
    """The checkpoints that a run left in its folder, the one to go on from first, then those before it.

    The first is what the file ``last_checkpoint`` names. Checkpoints with a higher number are of an earlier run in the
    same folder, and left out. Without that file, the highest number is first.

    Args:
        work_dir (str or Path): The run's folder. Checkpoints lie there, or, where none do, where ``last_checkpoint``
            says.

    Returns:
        list[Path]: ``epoch_<n>.pth`` or ``iter_<n>.pth`` by falling number; empty if there is none.
    """
    folder = Path(work_dir)
    pointer = folder / POINTER
    last_path = Path(pointer.read_text().strip()) if pointer.is_file() else folder
    numbers = _find_numbered(folder)
    # Never where a copy of a run's folder came from: only a folder without checkpoints has them elsewhere.
    if not numbers and last_path.is_file():
        numbers = _find_numbered(last_path.parent)
    last = _NUMBERED.fullmatch(last_path.name)
    if last is not None:
        numbers = {
            path: number
            for path, number in numbers.items() if path.name.startswith(last[1]) and number <= int(last[2])
        }
    return sorted(numbers, key=lambda path: numbers[path], reverse=True)


def _find_numbered(folder: Path) -> Dict[Path, int]:
    return {path: int(match[2]) for path in folder.glob('*.pth') if (match := _NUMBERED.fullmatch(path.name))}


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
            f'the end (--resume goes on where it was), or name a checkpoint file.')
    metrics = sorted({match[1] for match in found.values()})
    if len(metrics) > 1:
        names = ', '.join(sorted(path.name for path in found))
        raise ValueError(f'{work_dir} holds the best checkpoints by {" and ".join(metrics)}: name one of {names}.')
    return max(found, key=lambda path: (path.stat().st_mtime_ns, int(found[path][3])))


def remove_leftovers(work_dir: Union[str, Path]) -> None:
    """Remove the temporary files of checkpoints that a killed run was writing."""
    for path in Path(work_dir).glob('.*.pth'):
        if path.name.startswith(('.epoch_', '.iter_', '.best_')):
            path.unlink(missing_ok=True)
