"""A training that is stopped and resumed, against one that is not."""

import os
import tempfile
from pathlib import Path
from typing import Any, Dict, Iterator, Optional

import torch
from mmengine.hooks import Hook

from mmris.checkpoints import find_checkpoints, read_checkpoint
from mmris.registry import RUNNERS

from .configs import read_training, write_small_set
from .errors import guarded

# Three steps an epoch, three epochs, stopped in the second.
_IMAGES, _EPOCHS, _STOP_BEFORE = 6, 3, 4


class StoppedError(Exception):
    """Stands for a kill."""


class StopHook(Hook):
    """Stops a training before a step."""

    priority = 'LOWEST'

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        if runner.iter == _STOP_BEFORE:
            raise StoppedError


def measure(*, config: str) -> Iterator[Dict[str, Any]]:
    """Train by deterministic algorithms; train, stop and resume; compare the weights.

    Args:
        config (str): Name of the config.

    Yields:
        dict: ``tensors`` compared, ``different`` ones, ``largest_difference``, and ``problem`` if any differ.
    """
    # Of cuBLAS, without which PyTorch refuses to be deterministic. It is read when the GPU is first used.
    os.environ.setdefault('CUBLAS_WORKSPACE_CONFIG', ':4096:8')
    yield guarded(dict(config=config, epochs=_EPOCHS), lambda: _compare(config))


def _compare(config: str) -> Dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        data = write_small_set(Path(folder) / 'set', images=_IMAGES)
        whole = _train(config, data, Path(folder) / 'whole')
        _train(config, data, Path(folder) / 'parts', stop=True)
        resumed = _train(config, data, Path(folder) / 'parts', resume=True)
    different = [name for name, value in whole.items() if not torch.equal(value, resumed[name])]
    largest = max(((whole[name].double() - resumed[name].double()).abs().max().item() for name in different), default=0)
    found = dict(tensors=len(whole), different=len(different), largest_difference=largest)
    return dict(found, problem=f'{len(different)} of {len(whole)} tensors differ') if different else found


def _train(config: str, data: Path, work_dir: Path, *, stop: bool = False,
           resume: bool = False) -> Optional[Dict[str, torch.Tensor]]:
    """The weights of the last epoch; None of a training that was stopped."""
    read = read_training(config, data, work_dir)
    read.train_cfg.max_epochs, read.resume = _EPOCHS, resume
    read.randomness.deterministic = True
    runner = RUNNERS.build(read)
    if stop:
        runner.register_hook(StopHook())
    try:
        runner.train()
    except StoppedError:
        return None
    return read_checkpoint(find_checkpoints(work_dir)[0])['state_dict']
