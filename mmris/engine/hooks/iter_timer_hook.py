"""Times of steps, by a clock that nobody sets."""

import time
from typing import Any

from mmengine.hooks import IterTimerHook as MMEngineIterTimerHook
from mmengine.runner import Runner

from mmris.registry import HOOKS


@HOOKS.register_module()
class IterTimerHook(MMEngineIterTimerHook):
    """MMEngine's ``IterTimerHook``, which measures by the monotonic clock.

    MMEngine's own takes the time of day. If that is set back or forward while a step runs, step times and the time
    that remains are nonsense until the end.
    """

    def _before_epoch(self, runner: Runner, mode: str = 'train') -> None:
        self.t = time.monotonic()

    def _before_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, mode: str = 'train') -> None:
        runner.message_hub.update_scalar(f'{mode}/data_time', time.monotonic() - self.t)

    def _after_iter(self,
                    runner: Runner,
                    batch_idx: int,
                    data_batch: Any = None,
                    outputs: Any = None,
                    mode: str = 'train') -> None:
        now = time.monotonic()
        seconds, self.t = now - self.t, now
        runner.message_hub.update_scalar(f'{mode}/time', seconds)
        if mode == 'train':
            self.time_sec_tot += seconds
            mean = self.time_sec_tot / (runner.iter - self.start_iter + 1)
            left = runner.max_iters - runner.iter - 1
        else:
            self.time_sec_test_val += seconds
            mean = self.time_sec_test_val / (batch_idx + 1)
            left = len(runner.val_dataloader if mode == 'val' else runner.test_dataloader) - batch_idx - 1
        runner.message_hub.update_info('eta', mean * left)
