"""Data workers: which signals end them, and what to do when one is gone."""

import os
import signal
import threading
from contextlib import contextmanager
from typing import Callable, Iterator, Optional

# How PyTorch's message begins.
_DEAD = 'DataLoader worker'


def init_worker(init: Optional[Callable[[int], None]], worker_id: int) -> None:
    """Begin a data worker that SIGTERM and SIGUSR1 do not end, unless SIGTERM comes from the process that it works for.

    Clusters send these to all processes of a job. The training then needs its workers for the step to finish.

    Args:
        init (Callable, optional): What else is to be done in a worker that begins, with its number. None: nothing.
        worker_id (int): The worker's number.
    """
    if hasattr(signal, 'sigwaitinfo'):
        # macOS and Windows have no call that tells who sent a signal.
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, ))
        threading.Thread(target=_await_end, daemon=True).start()
    if init is not None:
        init(worker_id)


def _await_end() -> None:
    while signal.sigwaitinfo((signal.SIGTERM, )).si_pid != os.getppid():
        continue
    os._exit(0)


@contextmanager
def explain_dead_workers() -> Iterator[None]:
    """Say what to do when a data worker was killed.

    Raises:
        RuntimeError: In place of PyTorch's own that names the worker's process.
    """
    try:
        yield
    except RuntimeError as error:
        if not str(error).startswith(_DEAD):
            raise
        raise RuntimeError(
            f'A data worker is gone: {error} Most often memory ran out: lower train_dataloader.num_workers or '
            f'prefetch_factor, or give the container more shared memory (docker run --shm-size). Run the same command '
            f'with --resume to continue.') from error
