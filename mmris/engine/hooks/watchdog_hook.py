"""Tells where a run stands, if it stands still."""

import faulthandler
import os
import sys
import threading
import time
from typing import Any, List, Optional

from mmengine.dist import get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmris.registry import HOOKS
from mmris.utils.tool import write_first_error

from ..heartbeat import Heartbeat, Position
from ..progress import is_training

# How often a thread looks, as a share of the limit, and at most after so many seconds.
_LOOKS, _LONGEST = 8, 10.0


@HOOKS.register_module()
class WatchdogHook(Hook):
    """If no step ends for some time, writes what all threads are doing to standard error.

    A single process goes on, and is looked at again: a step may be slow. Of several processes each says which one the
    others wait for, and ends, since the missing one would not come back to the same step: the run can be resumed.

    Args:
        minutes (float): How long a step, a batch of an evaluation, or the way to the first of them may take. It should
            be shorter than the time after which the processes' own communication gives up (30 minutes), which does not
            say for whom. Defaults to 20.

    Raises:
        ValueError: If ``minutes`` is not positive.
    """

    priority = 'VERY_HIGH'

    def __init__(self, *, minutes: float = 20) -> None:
        if minutes <= 0:
            raise ValueError(f'minutes of WatchdogHook must be positive, but got {minutes}.')
        self.minutes = minutes
        self._position = Position(-1, 0, 'before its first step')
        self._since = time.monotonic()
        self._ended = threading.Event()
        self._heartbeat: Optional[Heartbeat] = None

    def before_run(self, runner: Runner) -> None:
        """Begin to watch, from a thread."""
        self._heartbeat = Heartbeat()
        self._since = time.monotonic()
        self._ended.clear()
        threading.Thread(target=self._watch, name='mmris-watchdog', daemon=True).start()

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Note that a step begins."""
        self._arrive(runner.iter, 1, f'in step {runner.iter + 1}')

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Note that a step ends."""
        self._arrive(runner.iter + 1, 0, f'waiting for the batch of step {runner.iter + 2}, after step '
                     f'{runner.iter + 1}')

    def before_val_epoch(self, runner: Runner) -> None:
        """Note that a validation begins."""
        self._evaluate(runner, 0)

    def after_val_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Note that a batch of it ends."""
        self._evaluate(runner, batch_idx + 1)

    def after_test_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Note that a batch of an evaluation ends."""
        self._evaluate(runner, batch_idx + 1)

    def after_run(self, runner: Runner) -> None:
        """Watch no longer."""
        self.close()

    def close(self) -> None:
        """Watch no longer, whatever has become of the run."""
        self._ended.set()

    def _evaluate(self, runner: Runner, batches: int) -> None:
        step = runner.iter if is_training(runner) else 0
        self._arrive(step, 2 + batches, f'in an evaluation, after {batches} of its batches')

    def _arrive(self, step: int, part: int, said: str) -> None:
        self._position, self._since = Position(step, part, said), time.monotonic()

    def _watch(self) -> None:
        limit = 60 * self.minutes
        pause = min(limit / _LOOKS, _LONGEST)
        while not self._ended.wait(pause):
            arrived = self._since
            try:
                self._heartbeat.beat(self._position)
                if time.monotonic() - arrived < limit:
                    continue
                laggards = self._heartbeat.find_laggards(self._position, 3 * pause) if get_world_size() > 1 else []
            except RuntimeError as error:
                # The process with the store has ended, as this one is about to; or it stands still itself.
                if time.monotonic() - arrived < limit:
                    continue
                laggards = [f'The process that all others found one another by does not answer ({error}).']
            if arrived == self._since and not self._ended.is_set():
                self._report(laggards)
                if laggards:
                    # The others have time to say where they are, too.
                    time.sleep(3 * pause)
                    # The main thread waits outside of Python, where no exception reaches it.
                    os._exit(1)

    def _report(self, laggards: List[str]) -> None:
        message = f'No step has ended for {self.minutes:g} minutes. Rank {get_rank()} is {self._position.said}. '
        if laggards:
            message += f'The others wait for: {" ".join(laggards)} Run the same command with --resume to continue.'
        stream = sys.__stderr__
        stream.write(f'\n{message}\nWhat the threads of rank {get_rank()} are doing:\n')
        stream.flush()
        faulthandler.dump_traceback(stream)
        if laggards:
            write_first_error(f'{message}\n')
        self._since = time.monotonic()
