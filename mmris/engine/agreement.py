"""What the processes of a training must agree on."""

from typing import Callable, Optional, Tuple

from mmengine.dist import all_gather_object, broadcast_object_list, is_main_process

from mmris.checkpoints.runs import resolve_load_from
from mmris.zoo import find_model


def ask_main_process(ask: Callable[[], Optional[str]]) -> Optional[str]:
    """Let the main process answer for all: another may see another folder, or fail to read what this one can.

    Args:
        ask (Callable): Gives the answer.

    Returns:
        str or None: The answer, the same in all processes.
    """
    answer = [ask() if is_main_process() else None]
    broadcast_object_list(answer)
    return answer[0]


def agree_on_load_from(load_from: str) -> str:
    """Find the file that ``load_from`` names, the same in all processes.

    A name in the zoo is resolved by the main process first, then by all: each machine has a cache of its own.

    Args:
        load_from (str): As of :func:`~mmris.checkpoints.runs.resolve_load_from`, whose errors are raised.

    Returns:
        str: The file or address.
    """
    found = ask_main_process(lambda: resolve_load_from(load_from))
    return found if find_model(load_from, folders=True) is None else resolve_load_from(load_from)


def check_same_progress(progress: Tuple[int, int], path: str) -> None:
    """Check that all processes have read the same checkpoint.

    Args:
        progress (tuple[int, int]): Epoch and iteration that this process has read.
        path (str): The checkpoint.

    Raises:
        RuntimeError: If another process has read others.
    """
    read = all_gather_object(progress)
    if len(set(read)) > 1:
        raise RuntimeError(
            f'Processes resumed from different checkpoints called {path}: (epoch, iteration) {read} by rank. The work '
            f'folder must be one that all machines share.')
