"""A training that is asked to end saves where it is, and ends."""

from contextlib import ExitStack
from pathlib import Path
from signal import Signals
from typing import Any, Dict, List, Optional

import torch
from mmengine.dist import all_gather_object, get_rank, get_world_size, is_main_process
from mmengine.hooks import EMAHook, Hook
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmris.checkpoints.runs import PREEMPTED
from mmris.registry import HOOKS
from mmris.utils import unwrap_model
from mmris.utils.json_files import write_json_file
from mmris.utils.stop_signals import handle_stop_signals, write_line

from ..progress import is_training, progress_of
from ..stop_agreement import StopAgreement
from .checkpoint_hook import CheckpointHook

# Entry of a checkpoint that was written within an epoch: the running statistics of each process.
STATISTICS = 'running_statistics_by_rank'


class PreemptionError(RuntimeError):
    """A training that was asked to end, and has saved all that it did."""


@HOOKS.register_module()
class PreemptionHook(Hook):
    """Lets a training that gets SIGTERM or SIGUSR1 finish its step, save, and end.

    A resumed run continues with the next step, and ends with the bits of an uninterrupted one. Between the signal and
    the end lie at most two steps of the optimiser (one, in a single process) and the time to save. Where gradients
    are accumulated, a step is that of the optimiser. In a validation, one batch takes the place of a step, and the
    resumed run repeats the validation.

    In several processes, one that gets the signal is enough. The work folder then holds ``preempted.json``, with
    signal, progress and checkpoint, until the training is resumed, so that scripts can tell a training that was
    stopped from one that has ended.

    Needs :class:`~mmris.engine.RestartHook`, and :class:`~mmris.engine.ReferringRunner`.

    Raises:
        PreemptionError: In :meth:`after_train_iter` and :meth:`after_val_iter`, when all is saved. ``mmris train`` ends
            with status 0 then.
    """

    # After all that a step does, saving included.
    priority = 'LOWEST'

    def __init__(self) -> None:
        self._received: Optional[Signals] = None
        self._handling = ExitStack()
        self._agreement: Optional[StopAgreement] = None
        self._shared_batches = 0
        self._statistics: Optional[List[Dict[str, Dict[str, torch.Tensor]]]] = None

    def before_run(self, runner: Runner) -> None:
        """Begin to listen, if this is a training, and forget that an earlier start was stopped."""
        if not is_training(runner):
            return
        self._handling.enter_context(handle_stop_signals(self._receive))
        self._agreement = StopAgreement()
        if is_main_process():
            (Path(runner.work_dir) / PREEMPTED).unlink(missing_ok=True)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Give each process the running statistics that it had."""
        by_rank = checkpoint.get(STATISTICS)
        if runner._resume and by_rank is not None and len(by_rank) == get_world_size():
            own = by_rank[get_rank()]
            checkpoint['state_dict'].update(own['model'])
            for place, hook in enumerate(_averaging_hooks(runner)):
                hook.ema_model.module.load_state_dict(own[f'average_{place}'], strict=False)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add the running statistics of each process to a checkpoint that is written within an epoch."""
        if self._statistics is not None:
            checkpoint[STATISTICS] = self._statistics

    def after_train_iter(self,
                         runner: Runner,
                         batch_idx: int,
                         data_batch: Any = None,
                         outputs: Optional[dict] = None) -> None:
        """Stop, if this process or another was asked to."""
        if not _is_gradient_pending(runner.optim_wrapper) and self._agreement.step(self._received is not None):
            self._save(runner, within_epoch=True)
            self._end(runner, done=runner.iter + 1)

    def before_val_epoch(self, runner: Runner) -> None:
        """Count the batches that all processes have: some have one more."""
        if self._agreement is not None:
            self._shared_batches = min(all_gather_object(len(runner.val_dataloader)))

    def after_val_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Stop, if this process or another was asked to."""
        if self._agreement is None or batch_idx >= self._shared_batches:
            return
        if self._agreement.step(self._received is not None):
            for hook in _averaging_hooks(runner):
                # For the validation, weights and their average have changed places.
                hook._swap_ema_parameters()
            self._save(runner, within_epoch=False)
            self._end(runner, done=runner.iter)

    def after_train(self, runner: Runner) -> None:
        """Let no agreement be under way when the processes part."""
        self._agreement.finish()

    def after_run(self, runner: Runner) -> None:
        """Stop listening."""
        self.close()

    def close(self) -> None:
        """Stop listening, whatever has become of the training."""
        self._handling.close()

    def _receive(self, received: Signals) -> None:
        if self._received is None:
            write_line(f'{received.name} received: finishing the step, then saving.')
        self._received = received

    def _save(self, runner: Runner, within_epoch: bool) -> None:
        saving = _checkpoint_hook(runner)
        if get_world_size() > 1:
            self._statistics = all_gather_object(_running_statistics(runner))
        try:
            if within_epoch:
                saving.save_within_epoch(runner)
            elif not _is_saved(saving, runner):
                saving.save_between_epochs(runner)
        finally:
            self._statistics = None
        self._checkpoint = saving.last_ckpt

    def _end(self, runner: Runner, done: int) -> None:
        """Say what was saved, and leave the training.

        Raises:
            PreemptionError: Always.
        """
        names = sorted({one for one in all_gather_object(self._received and self._received.name) if one})
        asked = ' and '.join(names)
        if is_main_process():
            content = dict(signal=asked, epoch=runner.epoch, iter=done, checkpoint=self._checkpoint)
            write_json_file(Path(runner.work_dir) / PREEMPTED, content)
        runner.visualizer.close()
        message = (f'Stopped by {asked} after step {done} of {runner.max_iters}. All of them are saved in '
                   f'{self._checkpoint}. Run the same command with --resume to continue.')
        runner.logger.info(message)
        raise PreemptionError(message)


def _is_gradient_pending(optim_wrapper: OptimWrapper) -> bool:
    return isinstance(optim_wrapper, OptimWrapper) and not optim_wrapper.should_update()


def _averaging_hooks(runner: Runner) -> List[EMAHook]:
    return [hook for hook in runner.hooks if isinstance(hook, EMAHook)]


def _checkpoint_hook(runner: Runner) -> CheckpointHook:
    for hook in runner.hooks:
        if isinstance(hook, CheckpointHook):
            return hook
    # The config saves nothing by itself.
    hook = CheckpointHook(by_epoch=progress_of(runner).unit == 'epoch')
    hook.before_train(runner)
    return hook


def _is_saved(hook: CheckpointHook, runner: Runner) -> bool:
    """Whether the epoch (or step) that is being validated has its checkpoint."""
    step = runner.epoch if hook.by_epoch else runner.iter
    return hook.last_ckpt is not None and Path(hook.last_ckpt).name == hook.filename_tmpl.format(step)


def _running_statistics(runner: Runner) -> Dict[str, Dict[str, torch.Tensor]]:
    found = dict(model=_statistics_of(unwrap_model(runner.model)))
    for place, hook in enumerate(_averaging_hooks(runner)):
        found[f'average_{place}'] = _statistics_of(hook.ema_model.module)
    return found


def _statistics_of(model: nn.Module) -> Dict[str, torch.Tensor]:
    return {
        f'{name}.{key}': value.cpu().clone()
        for name, norm in model.named_modules() if isinstance(norm, _BatchNorm) for key, value in norm.named_buffers()
        if key != 'num_batches_tracked'
    }
