"""Trains and evaluates a small model again and again, and looks for what grows.

    python -m tests.soak.training --minutes 30 --out work_dirs/soak

Exit status: 0, or 1 if something grows.
"""

import argparse
import gc
import os
import statistics
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Dict, List, Optional, Tuple

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmris.datasets.shaperef import write_shaperef
from mmris.registry import RUNNERS
from tests.conftest import tiny_config
from tests.soak.growth import Measure, Report, make_report
from tests.soak.process_state import children_of, hold, resident_memory

# An epoch has four steps, and each has a validation and a checkpoint after it.
IMAGES, BATCH, WORKERS = 16, 4, 2
MEASURES = (
    Measure('memory', ' MiB', 50),
    Measure('memory of workers', ' MiB', 50),
    Measure('descriptors', '', 5),
    Measure('threads', '', 2),
    Measure('objects of Python', '', 20_000),
    # Of the processor: the time on a clock depends on what else the machine does.
    Measure('processor time of a step', ' ms', 10),
)


class SoakHook(Hook):
    """Takes a sample now and then, and ends the training when its time is over.

    Args:
        seconds (float): How long it trains.
        every (float): Seconds between samples.
    """

    # Before the checkpoints, while data workers are there.
    priority = 'VERY_HIGH'

    def __init__(self, seconds: float, every: float) -> None:
        self.samples: List[Dict[str, float]] = []
        self._seconds, self._every, self._due = seconds, every, every
        # Seconds by the clock, and of the processor.
        self._steps: List[Tuple[float, float]] = []
        self._start, self._begun = time.monotonic(), (0., 0.)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Optional[dict] = None) -> None:
        """Begin a step."""
        self._begun = time.monotonic(), time.process_time()

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Optional[dict] = None,
                         outputs: Optional[dict] = None) -> None:
        """End a step."""
        clock, processor = self._begun
        self._steps.append((time.monotonic() - clock, time.process_time() - processor))

    def after_train_epoch(self, runner: Runner) -> None:
        """Take a sample and end the training, if it is time to. Samples are alike: each lies between a training and a
        validation, with all data workers there."""
        seconds = time.monotonic() - self._start
        if seconds >= self._due:
            self.samples.append(self._take(seconds / 3600))
            self._steps.clear()
            self._due = seconds + self._every
        if seconds > self._seconds:
            runner.train_loop.stop_training = True

    def _take(self, hours: float) -> Dict[str, float]:
        gc.collect()
        held = hold(os.getpid())
        clock, processor = (1000 * statistics.median(times) for times in zip(*self._steps))
        return {
            'x': hours,
            'memory': held['memory'],
            'memory of workers': sum(map(resident_memory, children_of(os.getpid()))),
            'descriptors': held['descriptors'],
            'threads': held['threads'],
            'objects of Python': len(gc.get_objects()),
            'processor time of a step': processor,
            'time of a step': clock,
        }


def soak(minutes: float, every: float, folder: Path) -> Report:
    """Train for a while.

    Args:
        minutes (float): For how long.
        every (float): Seconds between samples.
        folder (Path): For the data and what a training leaves.
    """
    write_shaperef(folder / 'set', counts=dict(train=IMAGES, val=IMAGES // 2, testA=1, testB=1), processes=1)
    config = tiny_config()
    for loader in (config.train_dataloader, config.val_dataloader):
        loader.update(batch_size=BATCH, num_workers=WORKERS)
        loader.dataset.data_root = str(folder / 'set')
    # No schedule ends.
    config.param_scheduler = []
    config.train_cfg.max_epochs = 10**6
    config.update(test_dataloader=None, test_cfg=None, test_evaluator=None, work_dir=str(folder / 'run'))
    runner = RUNNERS.build(config)
    hook = SoakHook(60 * minutes, every)
    runner.register_hook(hook)
    runner.train()
    times = [sample['time of a step'] for sample in hook.samples]
    facts = dict(minutes=round(60 * hook.samples[-1]['x'], 1), epochs=runner.epoch, steps=runner.iter,
                 median_step_by_the_clock=f'{statistics.median(times):.0f} ms',
                 workers=f'{WORKERS} to train, {WORKERS} to evaluate')
    return make_report('Training and evaluation of CM-MaskSD at toy size', 'hour', MEASURES, hook.samples, facts)


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--minutes', type=float, default=30, help='for how long (default: %(default)s)')
    parser.add_argument('--every', type=float, default=20, help='seconds between samples (default: %(default)s)')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/soak'), help='folder of the report')
    arguments = parser.parse_args()
    with TemporaryDirectory(prefix='mmris_soak_') as folder:
        report = soak(arguments.minutes, arguments.every, Path(folder))
    report.write(arguments.out, 'training')
    print(report.table())
    return 1 if report.grows else 0


if __name__ == '__main__':
    sys.exit(main())
