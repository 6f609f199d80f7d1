"""What a run needs so that a restart leaves no trace in it."""

from typing import Optional

from mmengine.dist import get_rank, get_world_size
from mmengine.hooks import CheckpointHook, Hook
from mmengine.runner import Runner

from mmris.models.layers import average_running_statistics
from mmris.registry import HOOKS
from mmris.utils import seed_all

from ..progress import accumulated_batches, is_training, progress_of
from ..train_loop import ResumableTrainLoop
from .checkpoint_hook import CheckpointHook as OrderedCheckpointHook

# What checkpoints tell of the run, in MMEngine's message hub.
VALIDATED, SAMPLES = 'last_validated_step', 'samples_a_step'


@HOOKS.register_module()
class RestartHook(Hook):
    """Lets a run that was killed at any moment and resumed go on as if it had not been.

    - The random numbers of a step are a function of (seed, rank, step), whatever ran before it. So none need be kept,
      and nothing that a hook or a validation draws changes the training.
    - A validation that was cut off, or had not begun when the last checkpoint was written, is run first.
    - With gradient accumulation, each epoch ends with a step of the optimiser, so that no gradient is pending when
      a checkpoint is written.
    - A run does not go on with another number of samples a step.
    - Before a validation, processes agree on BatchNorm's running statistics, which each has of its own batches.

    Needs :class:`~mmris.engine.ReferringRunner`, whose checkpoints and data order do the rest.
    """

    # After all others: the validation needs them ready, and averages are in place where EMAHook has put them.
    priority = 'LOWEST'

    def before_train(self, runner: Runner) -> None:
        """Run the validation that the resumed run owes.

        Raises:
            ValueError: If a checkpoint could not be resumed from without loss: written with a gradient pending, or
                within an epoch that the loop can only begin anew, or the only one, removed before the next is written.
            ValueError: If the resumed run would have another number of samples a step than it had before.
        """
        _check_checkpoints(runner)
        _check_samples(runner)
        if runner.val_loop is not None and _is_validation_pending(runner):
            runner.logger.info('Running the validation that the resumed run had not finished.')
            runner.val_loop.run()

    def before_train_epoch(self, runner: Runner) -> None:
        """Count accumulated gradients from the epoch's beginning."""
        if progress_of(runner).unit == 'epoch' and accumulated_batches(runner.optim_wrapper) > 1:
            batches = len(runner.train_dataloader)
            done = runner.iter - runner.epoch * batches
            runner.optim_wrapper.initialize_count_status(runner.model, done, batches)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Optional[dict] = None) -> None:
        """Seed the step."""
        seed_all(runner.base_seed, get_rank(), runner.iter)

    def before_val_epoch(self, runner: Runner) -> None:
        """Agree on running statistics, and note which step is validated, for the checkpoint that may follow."""
        average_running_statistics(runner.model)
        if is_training(runner):
            runner.message_hub.update_info(VALIDATED, progress_of(runner).step)


def _is_validation_pending(runner: Runner) -> bool:
    loop, (_, step, last) = runner.train_loop, progress_of(runner)
    if step == 0 or step < loop.val_begin or (step % loop.val_interval and step != last):
        return False
    return runner.message_hub.runtime_info.get(VALIDATED) != step


def _check_samples(runner: Runner) -> None:
    """The schedule counts steps: with other samples a step, its rates would come at the wrong time."""
    accumulated = accumulated_batches(runner.optim_wrapper)
    batch = runner.train_dataloader.batch_size or runner.train_dataloader.batch_sampler.batch_size
    now = [get_world_size(), batch, accumulated]
    before = runner.message_hub.runtime_info.get(SAMPLES)
    if before is not None and before != now:
        raise ValueError(
            f'This training had {before[0]} processes x {before[1]} samples x {before[2]} accumulated batches a step, '
            f'and would go on with {now[0]} x {now[1]} x {now[2]}: its schedule would no longer fit. Resume as it '
            f'began, or begin another training from its weights: --cfg-options load_from=CHECKPOINT without --resume.')
    runner.message_hub.update_info(SAMPLES, now)


def _check_checkpoints(runner: Runner) -> None:
    accumulated, (unit, _, _) = accumulated_batches(runner.optim_wrapper), progress_of(runner)
    for hook in runner.hooks:
        if not isinstance(hook, CheckpointHook):
            continue
        if hook.max_keep_ckpts == 1 and not isinstance(hook, OrderedCheckpointHook):
            raise ValueError(
                'max_keep_ckpts=1 of MMEngine\'s CheckpointHook removes the only checkpoint before the next is '
                'written, so that a run killed in between loses all. Take mmris.CheckpointHook, or set it to 2 or '
                'more.')
        if unit == 'epoch' and not hook.by_epoch and not isinstance(runner.train_loop, ResumableTrainLoop):
            raise ValueError(
                f'CheckpointHook has by_epoch=False, but {type(runner.train_loop).__name__} counts epochs and begins '
                f'each with its first batch: a checkpoint within one could not be resumed from without repeating '
                f'samples. Set by_epoch=True, or train by ResumableTrainLoop or by iterations (IterBasedTrainLoop).')
        if not hook.by_epoch and hook.interval > 0 and hook.interval % accumulated:
            raise ValueError(
                f'CheckpointHook saves every {hook.interval} iterations, while the optimiser steps every '
                f'{accumulated}: the gradient between them would be lost in a restart. Set interval to a multiple of '
                f'accumulative_counts.')
        batches = len(runner.train_dataloader)
        if not hook.by_epoch and unit == 'epoch' and batches % accumulated:
            raise ValueError(
                f'CheckpointHook saves every {hook.interval} iterations, but an epoch of {batches} batches ends with a '
                f'step of the optimiser that takes fewer than the {accumulated} of the others, so that a gradient '
                f'would be pending at some checkpoints and lost in a restart. Set by_epoch=True.')
