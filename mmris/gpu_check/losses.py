"""Losses in mixed precision beside those in float32."""

import math
from typing import Any, Dict, Iterator, List

import torch
from torch import nn

from mmris.utils import seed_all
from mmris.utils.precision import mixed_precision
from mmris.utils.steps import Batch, build_random_model, load_batch

from .configs import read_project_config
from .errors import guarded

PRECISIONS = ('float32', 'bfloat16', 'float16')
# Of the loss in float32. Rounding is far below: more is another computation.
_MOST_DIFFERENCE = 0.1
_BATCH = 4


def measure(*, configs: List[str]) -> Iterator[Dict[str, Any]]:
    """Compute the losses of a training step with the same weights, batch and draws, a row for each config.

    Args:
        configs (list[str]): Names of configs.

    Yields:
        dict: ``losses`` by precision, ``difference`` from float32's by precision (of its size), both of finite losses
        alone, and ``problem`` if one is not finite, or far from float32's.
    """
    for name in configs:
        yield guarded(dict(config=name), lambda name=name: _compare(name))


def _compare(name: str) -> Dict[str, Any]:
    config = read_project_config(name)
    torch.manual_seed(0)
    model = build_random_model(config).train()
    batch = load_batch(config.train_dataloader, _BATCH)
    losses = {precision: training_loss(model, batch, precision) for precision in PRECISIONS}
    exact = losses['float32']
    difference = {
        precision: abs(value - exact) / max(abs(exact), 1e-12) for precision, value in losses.items()
        if precision != 'float32' and math.isfinite(value) and math.isfinite(exact)
    }
    problems = [
        f'the loss in {precision} is {value}' for precision, value in losses.items() if not math.isfinite(value)
    ]
    problems += [
        f'the loss in {precision} differs by {value:.1%}' for precision, value in difference.items()
        if value > _MOST_DIFFERENCE
    ]
    # JSON has no number that is not finite.
    finite = {precision: value for precision, value in losses.items() if math.isfinite(value)}
    found = dict(losses=finite, difference=difference)
    return dict(found, problem='; '.join(problems)) if problems else found


def training_loss(model: nn.Module, batch: Batch, precision: str) -> float:
    """Compute the sum of a model's losses on a batch, with the draws of one seed.

    Args:
        model (nn.Module): In training mode.
        batch (dict): As a loader collates it.
        precision (str): ``'float32'``, or the type of automatic mixed precision.
    """
    seed_all(0)
    with mixed_precision(precision):
        data = model.data_preprocessor(batch, training=True)
        losses = model(**data, mode='loss')
    return model.parse_losses(losses)[0].item()
