"""Signals that ask a process to end: clusters send them some seconds or minutes before they kill it."""

import os
import signal
import sys
from contextlib import contextmanager
from types import FrameType
from typing import Callable, Dict, Iterator, Optional

# SIGTERM comes from clusters, containers and service managers; SIGUSR1 from `sbatch --signal=USR1@120`.
STOP_SIGNALS = tuple(getattr(signal, name) for name in ('SIGTERM', 'SIGUSR1') if hasattr(signal, name))
# Added to a signal's number by shells, for the exit status of what it ended.
_OF_SHELLS = 128


@contextmanager
def handle_stop_signals(handle: Callable[[signal.Signals], None]) -> Iterator[None]:
    """Call a function for each stop signal while the block lasts, instead of ending the process.

    Processes that are forked in the block end as they would without it. In other threads than the main one, where
    Python allows no handlers, signals do what they did before.

    Args:
        handle (Callable): Gets the signal, in the main thread, between two instructions of Python. It may raise.
    """
    owner, earlier = os.getpid(), {}

    def react(number: int, frame: Optional[FrameType]) -> None:
        if os.getpid() == owner:
            handle(signal.Signals(number))
        else:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    try:
        for number in STOP_SIGNALS:
            earlier[number] = signal.signal(number, react)
    except ValueError:
        earlier = {}
    try:
        yield
    finally:
        _restore(earlier)


def _restore(earlier: Dict[int, object]) -> None:
    for number, handler in earlier.items():
        # None stands for a handler that was not set by Python.
        signal.signal(number, signal.SIG_DFL if handler is None else handler)


@contextmanager
def end_with_advice(advice: str) -> Iterator[None]:
    """If a stop signal comes in the block, end the process with one line that says how to continue.

    The exit status is that of a process that the signal ended, as shells count it: 143 for SIGTERM.

    Args:
        advice (str): How to continue, as a sentence.

    Raises:
        SystemExit: If a stop signal comes.
    """

    def end(received: signal.Signals) -> None:
        write_line(f'Stopped by {received.name}. {advice}')
        sys.exit(_OF_SHELLS + received)

    with handle_stop_signals(end):
        yield


def write_line(text: str) -> None:
    """Write a line to standard error from a signal handler, where Python's own buffers may be in use."""
    os.write(2, f'{text}\n'.encode(errors='backslashreplace'))
