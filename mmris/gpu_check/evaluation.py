"""A whole evaluation by the runner, against what the model alone takes."""

import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, Optional

import torch
from mmengine.config import Config
from mmengine.device import get_device
from torch import nn

from mmris.datasets.random_set import write_random_set
from mmris.registry import MODELS, RUNNERS
from mmris.utils.complexity import count_complexity
from mmris.utils.input_sizes import read_input_sizes
from mmris.utils.precision import mixed_precision

from .configs import read_project_config, set_run
from .errors import guarded


def measure(*, config: str, precision: str, goal_seconds: Optional[float],
            **sizes: int) -> Iterator[Dict[str, Any]]:
    """Evaluate made-up images of COCO's size as ``mmris test`` does.

    Args:
        config (str): Name of the config.
        precision (str): ``'float32'``, or the type of automatic mixed precision.
        goal_seconds (float, optional): What it shall take at most, for the report. None: there is no goal.
        **sizes: ``images``, ``objects``, ``sentences`` and ``distinct_pictures`` of the set.

    Yields:
        dict: ``images``, ``expressions``, ``setup_seconds`` (model and data set), ``wall_seconds``, ``model_seconds``
        of these, ``multiply_adds`` and ``peak_mebibytes`` (None without a GPU).
    """
    with tempfile.TemporaryDirectory() as folder:
        write_random_set(folder, annotations=sizes['objects'], pictures=True, **sizes)
        about = dict(config=config, precision=precision, goal_seconds=goal_seconds)
        yield guarded(about, lambda: _evaluate(config, precision, Path(folder), sizes))


def _evaluate(name: str, precision: str, folder: Path, sizes: Dict[str, int]) -> Dict[str, Any]:
    on_gpu = get_device() == 'cuda'
    config = _evaluation_of(name, folder)
    start = time.perf_counter()
    runner = RUNNERS.build(config)
    setup = time.perf_counter() - start
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    with timed_steps(runner.model, precision) as model_seconds:
        start = time.perf_counter()
        scores = runner.test()
        wall = time.perf_counter() - start
    if scores['val/expressions'] != sizes['sentences']:
        raise RuntimeError(f'{sizes["sentences"]} sentences were to be scored, but {scores["val/expressions"]} were.')
    return dict(
        images=sizes['images'],
        expressions=sizes['sentences'],
        setup_seconds=setup,
        wall_seconds=wall,
        model_seconds=model_seconds(),
        multiply_adds=_multiply_adds(config, sizes),
        peak_mebibytes=torch.cuda.max_memory_allocated() / 2**20 if on_gpu else None)


def _evaluation_of(name: str, folder: Path) -> Config:
    config = read_project_config(name)
    config.train_cfg = config.train_dataloader = config.optim_wrapper = config.param_scheduler = None
    config.test_dataloader.dataset.update(
        data_root=str(folder), refs_file='refs(unc).p', split='train', data_prefix=dict(img_path='images'))
    # The made-up set has one split.
    config.test_cfg = dict(type='SplitTestLoop', splits=dict(val=dict(split='train')))
    set_run(config, folder / 'work')
    return config


@contextmanager
def timed_steps(model: nn.Module, precision: str) -> Iterator[Callable[[], float]]:
    """Within the block, run a model's test steps in a precision, and time them.

    On a GPU events are recorded beside the steps, so that none waits for another that would not have.

    Args:
        model (nn.Module): The model. Afterwards it is as before.
        precision (str): ``'float32'``, or the type of automatic mixed precision.

    Yields:
        Callable: Returns the seconds of all steps; to be called once they are done.
    """
    step, spent = model.test_step, []
    on_gpu = get_device() == 'cuda'

    def mark() -> Any:
        if not on_gpu:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def timed(data: dict) -> list:
        begun = mark()
        with mixed_precision(precision):
            outputs = step(data)
        spent.append((begun, mark()))
        return outputs

    def seconds() -> float:
        if not on_gpu:
            return sum(end - begun for begun, end in spent)
        torch.cuda.synchronize()
        return sum(begun.elapsed_time(end) for begun, end in spent) / 1000

    model.test_step = timed
    try:
        yield seconds
    finally:
        del model.test_step


def _multiply_adds(config: Config, sizes: Dict[str, int]) -> int:
    with torch.device('meta'):
        model = MODELS.build(config.model)
    total = count_complexity(model, **vars(read_input_sizes(config)))['total']
    return sizes['images'] * total['image']['flops'] + sizes['sentences'] * total['sentence']['flops']
