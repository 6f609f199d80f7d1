"""The checkpoints that a run may begin from."""

from logging import Logger
from pathlib import Path
from typing import Optional

from mmris.checkpoints import (
    UnreadableCheckpointError,
    best_checkpoint,
    find_checkpoints,
    read_checkpoint,
    remove_leftovers,
)


def last_checkpoint(work_dir: str, logger: Logger) -> Optional[str]:
    """Find the last checkpoint of a work folder that is whole, and remove what a kill left half written.

    Args:
        work_dir (str): The folder.
        logger (Logger): Gets a warning of each checkpoint that is not whole.

    Returns:
        str, optional: The file. None if there is no checkpoint.

    Raises:
        UnreadableCheckpointError: If there are checkpoints, and none is whole.
    """
    remove_leftovers(work_dir)
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


def starting_checkpoint(load_from: str) -> str:
    """Find the file that ``load_from`` names: a checkpoint, or the best of the work folder of a training.

    Args:
        load_from (str): A file, a folder or an address.

    Returns:
        str: The file or address.

    Raises:
        FileNotFoundError: If it is no file, and no folder with a best checkpoint.
    """
    load_from = str(load_from)
    if '://' in load_from or Path(load_from).is_file():
        return load_from
    if Path(load_from).is_dir():
        return str(best_checkpoint(load_from))
    raise FileNotFoundError(
        f'load_from={load_from!r} is neither a checkpoint nor the work folder of a training. Train the stage that '
        f'leaves it first, or name a file: --cfg-options load_from=FILE.')
