"""Evaluation: sentences of an image together, and a whole run beside the model alone."""

import gc
import time
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmris.checkpoints import load_model_weights
from mmris.gpu_check.evaluation import timed_steps
from mmris.registry import MODELS, RUNNERS
from mmris.utils.complexity import bound_together, count_complexity

from .models import SHIPPED, SHIPPED_WEIGHTS, prepare, read_benchmark_config
from .result import Result, ratios_of
from .timing import take_turns


def measure_sentences(name: str, sentences: int, repetitions: int) -> Result:
    """Measure sentences about an image one by one over all of them together.

    Args:
        name (str): A config.
        sentences (int): How many.
        repetitions (int): How often each is measured.

    Returns:
        Result: The bound is the same ratio of multiply-adds.
    """
    measured = prepare(name)
    model, inputs = measured.model.eval(), measured.inputs(sentences)
    singles = [measured.inputs(1) for _ in range(sentences)]
    with torch.no_grad():
        seconds = take_turns({
            'one by one': lambda: [model.encode_decode(one) for one in singles],
            'together': lambda: model.encode_decode(inputs)
        }, repetitions)
    with torch.device('meta'):
        total = count_complexity(MODELS.build(measured.config.model), **vars(measured.sizes))['total']
    flops = {part: total[part]['flops'] for part in ('image', 'sentence')}
    return Result(
        title=f'{name}: {sentences} sentences of an image one by one over together',
        ratios=ratios_of(seconds['one by one'], seconds['together']),
        bound=bound_together(flops, sentences),
        least=0.9,
        notes=dict(seconds=seconds))


def measure_whole_evaluation(data: Path, repetitions: int) -> Result:
    """Measure an evaluation by the runner, with two data workers, over its test steps alone.

    Args:
        data (Path): A ShapeRef.
        repetitions (int): Evaluations.

    Returns:
        Result: Of the model that comes with mmris.
    """
    init_default_scope('mmris')
    ratios, seconds = [], []
    for _ in range(repetitions):
        runner = RUNNERS.build(_evaluation_of(data))
        load_model_weights(runner.model, SHIPPED_WEIGHTS)
        with timed_steps(runner.model, 'float32') as model_seconds:
            start = time.perf_counter()
            runner.test()
            seconds.append(time.perf_counter() - start)
        ratios.append(seconds[-1] / model_seconds())
        images = len(runner.test_loop.dataloader.dataset)
        # Its data workers end now, and not while the next is measured.
        del runner
        gc.collect()
    return Result(
        title=f'{SHIPPED_WEIGHTS}: a whole evaluation of {images} images over its '
        f'test steps',
        ratios=ratios,
        most=1.1,
        notes=dict(seconds=seconds))


def _evaluation_of(data: Path) -> Config:
    config = read_benchmark_config(SHIPPED)
    config.train_cfg = config.train_dataloader = config.optim_wrapper = config.param_scheduler = None
    config.test_dataloader.dataset.data_root = str(data)
    config.test_dataloader.num_workers = 2
    config.test_cfg = dict(type='SplitTestLoop', splits=dict(val=dict(split='val')))
    config.work_dir = str(data / 'work')
    config.log_level = 'WARNING'
    config.visualizer = None
    config.custom_hooks = None
    config.load_from = None
    return config
