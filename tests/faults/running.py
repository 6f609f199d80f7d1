"""Starts a training, befalls it with a fault, and looks at what comes of it."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable, List, NamedTuple, Optional

from mmris.checkpoints import find_checkpoints, read_checkpoint
from tests.conftest import ROOT, assert_same, write_set
from tests.faults.table import COMPLETED, FAILED, FAULTS, LAST, REFUSED, STOPPED, Fault

# Three epochs of six steps in one process, of three in two.
EPOCHS, SECONDS = 3, 240
CONFIG = """
import os
_base_ = ['{base}']
custom_imports = dict(imports=['tests.faults.fault_hook'])
custom_hooks = [one for one in _base_.custom_hooks if one['type'] != 'WatchdogHook'] + [
    dict(type='WatchdogHook', minutes=float(os.environ.get('WATCHDOG_MINUTES', 0.3))), dict(type='FaultHook')]
"""


class Ended(NamedTuple):
    """How a run has ended: exit status, output, and seconds."""

    status: int
    output: str
    seconds: float


class Harness:
    """Trainings in a folder.

    Args:
        folder (Path): Where to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / 'faults.py'
        self.config.write_text(CONFIG.format(base=ROOT / 'configs/cm_masksd/vit-tiny_shaperef.py'))
        write_set(folder / 'set', images=12, sentences=2)
        self._whole: dict = {}

    def start(self,
              name: str,
              processes: int,
              workers: int = 0,
              fault: Optional[dict] = None,
              watchdog: float = 0.3,
              epochs: int = EPOCHS) -> subprocess.Popen:
        """Start a training, whose watchdog waits so many minutes; its output is in ``<name>.log``."""
        options = [
            '--resume', '--work-dir', self.folder / name, '--data-root', self.folder / f'{name}_set', '--cfg-options',
            'train_dataloader.dataset.split=val', 'train_dataloader.batch_size=2', 'val_dataloader.num_workers=0',
            f'train_dataloader.num_workers={workers}', f'train_dataloader.persistent_workers={workers > 0}',
            'default_hooks.logger.interval=1', f'train_cfg.max_epochs={epochs}'
        ]
        if not (self.folder / f'{name}_set').exists():
            shutil.copytree(self.folder / 'set', self.folder / f'{name}_set')
        command = [sys.executable, 'tools/train.py', self.config]
        if processes > 1:
            command = ['bash', 'tools/dist_train.sh', self.config, processes]
        if fault is not None and fault.get('rank') == LAST:
            fault = dict(fault, rank=processes - 1)
        return self.launch([*command, *options], name, fault, watchdog)

    def launch(self, command: list, name: str, fault: Optional[dict], watchdog: float = 0.3) -> subprocess.Popen:
        """Start a command with a fault."""
        environment = {key: value for key, value in os.environ.items() if key not in ('MMRIS_DEBUG', 'MMRIS_FAULT')}
        environment.update(PYTHON=sys.executable, OMP_NUM_THREADS='1', MASTER_PORT=str(free_port()),
                           PYTHONFAULTHANDLER='1', WATCHDOG_MINUTES=str(watchdog))
        if fault is not None:
            environment['MMRIS_FAULT'] = json.dumps(fault)
        site = str(ROOT / 'tests/faults/site')
        environment['PYTHONPATH'] = os.pathsep.join([site, str(ROOT), environment.get('PYTHONPATH', '')])
        with open(self.log(name), 'a') as output:
            return subprocess.Popen(
                list(map(str, command)), cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT,
                start_new_session=True)

    def log(self, name: str) -> Path:
        return self.folder / f'{name}.log'

    def run(self, name: str, processes: int, workers: int = 0, fault: Optional[dict] = None) -> Ended:
        """Start a training and wait for its end."""
        return self.wait(name, lambda: self.start(name, processes, workers, fault))

    def wait(self, name: str, start: Callable[[], subprocess.Popen]) -> Ended:
        """Start something and wait for its end."""
        before = len(self.log(name).read_text()) if self.log(name).exists() else 0
        begun = time.monotonic()
        process = start()
        try:
            status = process.wait(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            raise AssertionError(f'It stands still: {self.log(name).read_text()[-3000:]}') from None
        finally:
            end(process)
        return Ended(status, self.log(name).read_text()[before:], time.monotonic() - begun)

    def whole(self, processes: int) -> Path:
        """The folder of a training that nothing befell."""
        if processes not in self._whole:
            name = f'whole_{processes}'
            ended = self.run(name, processes)
            assert ended.status == 0, ended.output[-4000:]
            self._whole[processes] = self.folder / name
        return self._whole[processes]

    def befall(self, name: str, processes: int) -> Ended:
        """Befall a training with a fault, check what comes of it, and resume it to the bits of a whole one.

        Returns:
            Ended: Of the training that the fault befell.
        """
        fault, work = FAULTS[name], f'{name}_{processes}'
        ended = self.run(work, processes, fault.workers, fault.inject)
        check_end(fault, ended, self.folder / work)
        if name == 'read_only':
            assert 'Epoch(train)' not in ended.output
        if name == 'clock':
            assert 'eta: -' not in ended.output and 'time: -' not in ended.output
        if fault.outcome != COMPLETED:
            shutil.rmtree(self.folder / f'{work}_set')
            again = self.run(work, processes, fault.workers)
            assert again.status == 0, again.output[-4000:]
            if fault.outcome == STOPPED:
                assert 'resumed epoch' in again.output
        assert_equal(self.whole(processes), self.folder / work)
        return ended


def check_end(fault: Fault, ended: Ended, work_dir: Path) -> None:
    """Check the exit status, what was said, and that no torn file has a whole one's name."""
    fits = dict([(STOPPED, ended.status == 0), (COMPLETED, ended.status == 0), (REFUSED, ended.status == 2),
                 (FAILED, ended.status != 0)])
    assert fits[fault.outcome], f'status {ended.status}: {ended.output[-6000:]}'
    for pattern in fault.says:
        assert re.search(pattern, ended.output), f'{pattern} is not in {ended.output[-6000:]}'
    for path in work_dir.glob('*.pth'):
        read_checkpoint(path)
    if fault.outcome == STOPPED:
        told = json.loads((work_dir / 'preempted.json').read_text())
        assert Path(told['checkpoint']) == find_checkpoints(work_dir)[0]


def assert_equal(whole: Path, resumed: Path) -> None:
    """The last and the best checkpoints of two trainings are the same to the last bit."""
    one, other = (read_checkpoint(find_checkpoints(path)[0]) for path in (whole, resumed))
    assert one['meta']['epoch'] == other['meta']['epoch'] == EPOCHS
    for part in ('state_dict', 'optimizer', 'param_schedulers'):
        assert_same(one[part], other[part])
    best: List[Path] = [next(path.glob('best_*.pth')) for path in (whole, resumed)]
    assert best[0].name == best[1].name
    assert_same(*(read_checkpoint(path)['state_dict'] for path in best))
    left = {path.name for path in resumed.iterdir()} - {path.name for path in whole.iterdir()}
    assert not [name for name in left if name.startswith(('.', 'epoch', 'best', 'preempted', 'run.lock'))], left


def end(process: subprocess.Popen) -> None:
    """End what is left of a training: its session, and torchrun's processes, which lead sessions of their own."""
    for one in family(process.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)
    process.wait()


def family(process: int) -> List[int]:
    """A process and all that it started."""
    try:
        children = Path(f'/proc/{process}/task/{process}/children').read_text().split()
    except OSError:
        return []
    return [process, *(one for child in children for one in family(int(child)))]


def free_port() -> int:
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        return free.getsockname()[1]
