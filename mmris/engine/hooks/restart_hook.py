"""What a run needs so that a restart leaves no trace in it."""

from typing import Optional

from mmengine.dist import get_rank
from mmengine.hooks import CheckpointHook, Hook
from mmengine.runner import EpochBasedTrainLoop, Runner

from mmris.models.layers import average_running_statistics
from mmris.registry import HOOKS
from mmris.utils import seed_all

VALIDATED = 'last_validated_step'


@HOOKS.register_module()
class RestartHook(Hook):
    """Lets a run that was killed at any moment and resumed go on as if it had not been.

    - The random numbers of a step are a function of (seed, rank, step), whatever ran before it. So none need be kept,
      and nothing that a hook or a validation draws changes the training.
    - A validation that was cut off, or had not begun when the last checkpoint was written, is run first.
    - With gradient accumulation, each epoch ends with a step of the optimiser, so that no gradient is pending when
      a checkpoint is written.
    - Before a validation, processes agree on BatchNorm's running statistics, which each has of its own batches.

    Needs :class:`~mmris.engine.ReferringRunner`, whose checkpoints and data order do the rest.
    """

    # After all others: the validation needs them ready, and averages are in place where EMAHook has put them.
    priority = 'LOWEST'

    def before_train(self, runner: Runner) -> None:
        """Run the validation that the resumed run owes.

        Raises:
            ValueError: If the gradient would be pending when a checkpoint is written, or the only checkpoint is
                removed before the next is written.
        """
        _check_checkpoints(runner)
        if runner.val_loop is not None and _owes_validation(runner):
            runner.logger.info('Running the validation that the resumed run had not finished.')
            runner.val_loop.run()

    def before_train_epoch(self, runner: Runner) -> None:
        """Count accumulated gradients from the epoch's beginning."""
        if isinstance(runner.train_loop, EpochBasedTrainLoop) and _accumulation(runner) > 1:
            runner.optim_wrapper.initialize_count_status(runner.model, 0, len(runner.train_dataloader))

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Optional[dict] = None) -> None:
        """Seed the step."""
        seed_all(runner.base_seed, get_rank(), runner.iter)

    def before_val_epoch(self, runner: Runner) -> None:
        """Agree on running statistics, and note which step is validated, for the checkpoint that may follow."""
        average_running_statistics(runner.model)
        runner.message_hub.update_info(VALIDATED, _step(runner))


def _step(runner: Runner) -> int:
    return runner.epoch if isinstance(runner.train_loop, EpochBasedTrainLoop) else runner.iter


def _owes_validation(runner: Runner) -> bool:
    loop, step = runner.train_loop, _step(runner)
    last = runner.max_epochs if isinstance(loop, EpochBasedTrainLoop) else runner.max_iters
    if step == 0 or step < loop.val_begin or (step % loop.val_interval and step != last):
        return False
    return runner.message_hub.runtime_info.get(VALIDATED) != step


def _accumulation(runner: Runner) -> int:
    return getattr(runner.optim_wrapper, '_accumulative_counts', 1)


def _check_checkpoints(runner: Runner) -> None:
    for hook in runner.hooks:
        if not isinstance(hook, CheckpointHook):
            continue
        if hook.max_keep_ckpts == 1:
            raise ValueError(
                'max_keep_ckpts=1 of CheckpointHook removes the only checkpoint before the next is written, so that a '
                'run killed in between loses all. Set it to 2 or more.')
        if not hook.by_epoch and hook.interval % _accumulation(runner):
            raise ValueError(
                f'CheckpointHook saves every {hook.interval} iterations, while the optimiser steps every '
                f'{_accumulation(runner)}: the gradient between them would be lost in a restart. Set interval to a '
                f'multiple of accumulative_counts.')
