"""Data workers that outlive the signal by which a cluster asks a training to end."""

import os
import signal
import threading
from typing import Callable, Optional


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
