"""Training and evaluation steps of one config: plain, with activation checkpointing, or compiled."""

import copy
from typing import Any, Dict, Iterator, List, Optional, Sequence

import torch
from mmengine.config import Config
from mmengine.device import get_device
from torch import nn

from mmris.models.segmentors import compile_stages
from mmris.registry import MODELS
from mmris.utils.complexity import count_complexity
from mmris.utils.launching import enable_mixed_precision
from mmris.utils.steps import Batch, build_random_model, load_batch, measure_evaluation, measure_training
from mmris.utils.training_complexity import count_training

from .configs import read_project_config
from .errors import guarded

# The kinds of step of each pass. Evaluation keeps nothing for a backward pass, so has nothing to checkpoint, and is
# compiled in less time.
_KINDS = dict(plain=('training', 'evaluation'), checkpointing=('training', ), compiled=('evaluation', 'training'))
_PRECISIONS = ('bfloat16', 'float32', 'float16')


def measure(*, config: str, passes: List[str], batch_size: int, steps: int, most_seconds: float,
            backend: Optional[str] = None) -> Iterator[Dict[str, Any]]:
    """Measure steps of a config, a row for each pass, precision and kind of step.

    Args:
        config (str): Name of the config.
        passes (list[str]): Of ``'plain'``, ``'checkpointing'`` and ``'compiled'``.
        batch_size (int): Images of a step.
        steps, most_seconds: See :func:`mmris.utils.steps.measure`.
        backend (str, optional): Of ``torch.compile``. Default: None, nothing is compiled.

    Yields:
        dict: What :func:`mmris.utils.steps.measure` returns, with ``multiply_adds`` of the step.
    """
    read = read_project_config(config)
    # Settings of the loader are changed where a batch is loaded.
    batches = dict(
        training=load_batch(copy.deepcopy(read.train_dataloader), batch_size),
        evaluation=load_batch(copy.deepcopy(read.val_dataloader), batch_size))
    counts = {kind: count_step(read, kind, batch) for kind, batch in batches.items()}
    for name in passes:
        changed = copy.deepcopy(read)
        if name == 'checkpointing':
            changed.model.encoder.activation_checkpointing = True
        torch.manual_seed(0)
        model = build_random_model(changed)
        if name == 'compiled':
            compile_stages(model, backend=backend)
        for precision in precisions_of(name):
            for kind in _KINDS[name]:
                about = {'config': config, 'pass': name, 'precision': precision, 'step': kind}
                if kind == 'training' and precision == 'float16' and get_device() != 'cuda':
                    yield dict(about, left_out='training in float16 needs a GPU')
                    continue
                yield guarded(about, lambda model=model, changed=changed, kind=kind, precision=precision: dict(
                    _measure_one(model, changed, kind, precision, batches[kind], steps, most_seconds),
                    multiply_adds=counts[kind]))
        del model


def precisions_of(name: str) -> Sequence[str]:
    """In which precisions a pass is measured, the most useful first."""
    if name == 'plain':
        return _PRECISIONS
    # Without a GPU it is a rehearsal, for which training must be possible.
    return ('bfloat16', ) if get_device() == 'cuda' else ('float32', )


def _measure_one(model: nn.Module, config: Config, kind: str, precision: str, batch: Batch, steps: int,
                 most_seconds: float) -> Dict[str, Any]:
    reduced = None if precision == 'float32' else precision
    if kind == 'evaluation':
        return measure_evaluation(model, batch, reduced, steps, most_seconds)
    config = copy.deepcopy(config)
    if reduced is not None:
        enable_mixed_precision(config, reduced)
    return measure_training(model, config, batch, steps, most_seconds)


def count_step(config: Config, kind: str, batch: Batch) -> int:
    """Count the multiply-adds of a training or an evaluation step on a batch, with what pads its sentences.

    Args:
        config (Config): The model's.
        kind (str): ``'training'`` or ``'evaluation'``.
        batch (dict): As a loader collates it.
    """
    samples = batch['data_samples']
    sizes = dict(
        shape=tuple(batch['inputs'][0].shape[1:]),
        tokens=max(sample.token_ids.size(1) for sample in samples),
        views={name: tuple(pixels[0].shape[1:]) for name, pixels in batch.get('views', {}).items()},
        instances=max(len(sample.instance_masks) if 'instance_masks' in sample else 0 for sample in samples))
    images, expressions = len(samples), sum(len(sample.token_ids) for sample in samples)
    with torch.device('meta'):
        model = MODELS.build(config.model)
    if kind == 'evaluation':
        total = count_complexity(model, **sizes)['total']
        return images * total['image']['flops'] + expressions * total['sentence']['flops']
    if expressions == images:
        return count_training(model, images=images, **sizes)['total']
    # Images may differ in their number of sentences: what another sentence costs is the same for all.
    one, two = (count_training(model, images=images, sentences=count, **sizes)['total'] for count in (1, 2))
    return round(one + (two - one) * (expressions / images - 1))
