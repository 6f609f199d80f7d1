"""A training of two steps in one process a GPU."""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Dict, Iterator, Optional

import torch
from torch import distributed, nn

from mmris.registry import RUNNERS
from mmris.utils.launching import destroy_process_group

from .configs import read_training, write_small_set
from .errors import guarded

_STEPS, _BATCH = 2, 2
# What a failing group of processes printed last.
_CHARACTERS = 3000


def measure(*, config: str, processes: Optional[int]) -> Iterator[Dict[str, Any]]:
    """Train two steps in several processes, with synchronised BatchNorms where there are GPUs.

    Args:
        config (str): Name of the config.
        processes (int, optional): How many. None: one a GPU.

    Yields:
        dict: ``processes``, ``backend``, ``synchronised`` (how many BatchNorms), ``steps``, ``same_weights``, and
        ``problem`` if one of them is not as it should be.
    """
    count = processes or torch.cuda.device_count()
    yield guarded(dict(config=config, processes=count), lambda: _train(config, count))


def _train(config: str, processes: int) -> Dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        write_small_set(Path(folder) / 'set', images=_STEPS * _BATCH * processes)
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            port = free.getsockname()[1]
        command = [
            sys.executable, '-m', 'mmris.utils.processes', '--nproc-per-node', str(processes), '--master-addr',
            '127.0.0.1', '--master-port', str(port), '-m', __name__, config, folder
        ]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=_environment())
        print(done.stdout)
        if done.returncode:
            raise RuntimeError(f'The processes ended with status {done.returncode}: {done.stdout[-_CHARACTERS:]}')
        found = json.loads((Path(folder) / 'found.json').read_text())
    wrong = [
        f'{name} is {found[name]}' for name, right in _expected(processes).items()
        if found[name] != right and not (right is any and found[name])
    ]
    return dict(found, problem='; '.join(wrong)) if wrong else found


def _expected(processes: int) -> Dict[str, Any]:
    """What a good run finds; ``any`` stands for one or more."""
    on_gpu = torch.cuda.is_available()
    return dict(
        group=processes, backend='nccl' if on_gpu else 'gloo', synchronised=any if on_gpu else 0, steps=_STEPS,
        same_weights=True)


def _environment() -> Dict[str, str]:
    return dict(os.environ, OMP_NUM_THREADS=os.environ.get('OMP_NUM_THREADS', '1'))


def main() -> None:
    """Train, as one of the processes: ``torchrun ... -m mmris.gpu_check.distributed CONFIG FOLDER``."""
    parser = argparse.ArgumentParser()
    parser.add_argument('config')
    parser.add_argument('folder', type=Path)
    options = parser.parse_args()
    found = _train_here(options)
    if distributed.get_rank() == 0:
        (options.folder / 'found.json').write_text(json.dumps(found))
    destroy_process_group()


def _train_here(options: argparse.Namespace) -> Dict[str, Any]:
    config = read_training(options.config, options.folder / 'set', options.folder / 'work')
    config.launcher, config.sync_bn = 'pytorch', 'torch'
    runner = RUNNERS.build(config)
    model = runner.train()
    return dict(
        group=distributed.get_world_size(),
        backend=distributed.get_backend(),
        synchronised=sum(isinstance(part, nn.SyncBatchNorm) for part in model.modules()),
        steps=runner.iter,
        same_weights=_same_everywhere(model))


def _same_everywhere(model: nn.Module) -> bool:
    """Whether all processes have the same weights, to the bit."""
    same = torch.ones(1, device=next(model.parameters()).device)
    for parameter in model.parameters():
        first = parameter.detach().clone()
        distributed.broadcast(first, src=0)
        same *= float(torch.equal(first, parameter))
    distributed.all_reduce(same, op=distributed.ReduceOp.MIN)
    return bool(same)


if __name__ == '__main__':
    main()
