"""How far a training is, and in what steps."""

from typing import NamedTuple

from mmengine.optim import OptimWrapper
from mmengine.runner import BaseLoop, EpochBasedTrainLoop, Runner


class Progress(NamedTuple):
    """Where a training is, in the unit that its loop counts.

    Attributes:
        unit (str): ``'epoch'`` or ``'iteration'``.
        step (int): How many are done.
        last (int): How many there will be.
    """

    unit: str
    step: int
    last: int


def progress_of(runner: Runner) -> Progress:
    """Tell how far the training of a runner is."""
    if isinstance(runner.train_loop, EpochBasedTrainLoop):
        return Progress('epoch', runner.epoch, runner.max_epochs)
    return Progress('iteration', runner.iter, runner.max_iters)


def is_training(runner: Runner) -> bool:
    """Whether a validation is one of a training. For one alone, ``train_loop`` would build the training set."""
    return isinstance(runner._train_loop, BaseLoop)


def accumulated_batches(optim_wrapper: OptimWrapper) -> int:
    """How many batches add up their gradients for a step of the optimiser."""
    return optim_wrapper._accumulative_counts
