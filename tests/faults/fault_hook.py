"""What befalls a training at a step."""

import json
import multiprocessing
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook

from mmris.registry import HOOKS
from tests.faults import injector


@HOOKS.register_module()
class FaultHook(Hook):
    """Does what ``do`` of the fault in MMRIS_FAULT says, in the stage ``at``, at the step ``step``."""

    priority = 'NORMAL'

    def __init__(self) -> None:
        self.fault = json.loads(os.environ.get('MMRIS_FAULT') or '{}')
        self.tested = 0

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        self._befall('step', runner, data_batch)

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self._befall('validation', runner, data_batch)

    def after_test_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self.tested += 1
        if self.fault.get('at') == 'evaluation' and self.tested == self.fault['step']:
            getattr(self, self.fault['do'])(runner, data_batch)

    def _befall(self, stage: str, runner: Any, batch: Any) -> None:
        fault = self.fault
        if fault.get('from_step') == runner.iter:
            injector.ARMED.append(True)
        if fault.get('at') == stage and runner.iter == fault['step'] and fault.get('rank', 0) == get_rank():
            getattr(self, fault['do'])(runner, batch)
            self.fault = {}

    def signal_self(self, runner, batch) -> None:
        os.kill(os.getpid(), getattr(signal, self.fault['signal']))

    def signal_launcher(self, runner, batch) -> None:
        launcher = os.getppid() if 'TORCHELASTIC_RUN_ID' in os.environ else os.getpid()
        os.kill(launcher, getattr(signal, self.fault['signal']))

    def signal_all(self, runner, batch) -> None:
        workers = [worker.pid for worker in multiprocessing.active_children()]
        # By another process than the workers' own, as a cluster does: that one may end them.
        subprocess.run(['kill', '-s', self.fault['signal'].removeprefix('SIG'), *map(str, workers)], check=True)
        self.signal_launcher(runner, batch)

    def kill_worker(self, runner, batch) -> None:
        os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)

    def remove_images(self, runner, batch) -> None:
        for path in self._images(runner):
            path.unlink()

    def truncate_images(self, runner, batch) -> None:
        for path in self._images(runner):
            os.truncate(path, 200)

    def spoil_batch(self, runner, batch) -> None:
        batch['inputs'] = [torch.full_like(one, float('nan'), dtype=torch.float32) for one in batch['inputs']]

    def set_clock_back(self, runner, batch) -> None:
        now = time.time
        time.time = lambda: now() - 86400

    def _images(self, runner) -> list:
        return list(Path(runner.train_dataloader.dataset.data_root, 'images').glob('*.jpg'))
