"""Training steps: branches of distillation, and several sentences of an image at once."""

from typing import Callable, Dict, Sequence

from torch import nn

from mmris.engine.parameter_groups import build_optim_wrapper
from mmris.utils.steps import Batch

from .models import Measured, count_step, prepare
from .result import Result, ratios_of
from .timing import take_turns


def measure_branches(name: str, images: int, repetitions: int) -> Result:
    """Measure a training step with a model's branches over one without them.

    Args:
        name (str): A config with branches of distillation.
        images (int): Images of a step, a sentence about each.
        repetitions (int): Steps of each.

    Returns:
        Result: The bound is the same ratio of multiply-adds, forward and backward.
    """
    measured = prepare(name)
    model, batch = measured.model.train(), measured.training_batch(images, 1)
    branches, none = model.distillation, nn.ModuleDict()
    step = _train(measured)

    def run(distillation: nn.Module) -> None:
        model.distillation = distillation
        step(batch)

    seconds = take_turns({'branches': lambda: run(branches), 'baseline': lambda: run(none)}, repetitions)
    counts = [count_step(measured.config, images, 1, without=without) for without in (None, ['distillation'])]
    return Result(
        title=f'{name}: a training step with branches over the baseline, {images} images',
        ratios=ratios_of(seconds['branches'], seconds['baseline']),
        bound=counts[0] / counts[1],
        most=1.1,
        notes=dict(seconds=seconds))


def measure_grouping(name: str, sentences: int, repetitions: int, goal: bool = True,
                     options: Sequence[str] = ()) -> Result:
    """Measure a training step on as many images as sentences over one on a single image with all of them.

    Args:
        name (str): A config.
        sentences (int): Sentences of a step.
        repetitions (int): Steps of each.
        goal (bool): Whether the ratio should reach its bound: small models spend their time elsewhere. Default: True.
        options (Sequence[str]): Changes of the config, as of ``--cfg-options``. Default: none.

    Returns:
        Result: The bound is the same ratio of multiply-adds, forward and backward.
    """
    measured = prepare(name, options)
    measured.model.train()
    step = _train(measured)
    batches: Dict[str, Batch] = dict(
        single=measured.training_batch(sentences, 1), grouped=measured.training_batch(1, sentences))
    seconds = take_turns({way: (lambda one=batch: step(one)) for way, batch in batches.items()}, repetitions)
    counts = [count_step(measured.config, *size) for size in ((sentences, 1), (1, sentences))]
    return Result(
        title=f'{" ".join((name, *options))}: a training step on {sentences} images over one image with {sentences} '
        'sentences',
        ratios=ratios_of(seconds['single'], seconds['grouped']),
        bound=counts[0] / counts[1],
        least=0.9 if goal else None,
        notes=dict(seconds=seconds))


def _train(measured: Measured) -> Callable[[Batch], object]:
    wrapper = build_optim_wrapper(measured.model, measured.config.optim_wrapper)
    return lambda batch: measured.model.train_step(batch, wrapper)
