"""Checkpoints of which no earlier one is removed before the later one is whole."""

from pathlib import Path
from typing import Any, List

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook as MMEngineCheckpointHook
from mmengine.runner import Runner

from mmris.checkpoints.runs import POINTER, find_within_epoch, name_within_epoch
from mmris.registry import HOOKS
from mmris.utils import write_atomically


@HOOKS.register_module()
class CheckpointHook(MMEngineCheckpointHook):
    """MMEngine's ``CheckpointHook`` (which see for all arguments), which loses no checkpoint when a write fails.

    MMEngine's own removes the previous best checkpoint, and the oldest of those that it keeps, before it writes the
    next. If the disk is full, or the process is killed, they are gone. Here the new file is whole first, then
    ``last_checkpoint`` names it, and then earlier ones are removed.
    """

    def save_within_epoch(self, runner: Runner) -> None:
        """Save after a step in the middle of an epoch. To be called by all processes, in ``after_train_iter``.

        The one before it of this kind is removed, and it is itself removed when the epoch's own is whole.
        """
        if self.by_epoch:
            meta = dict(epoch=runner.epoch, iter=runner.iter + 1)
            self._write(runner, name_within_epoch(**meta), meta)
        else:
            self._save_checkpoint(runner)

    def save_between_epochs(self, runner: Runner) -> None:
        """Save where an epoch (or, of a training by iterations, a step) has ended and the next has not begun."""
        step = runner.epoch if self.by_epoch else runner.iter
        self._save_checkpoint_with_step(runner, step, dict(epoch=runner.epoch, iter=runner.iter))

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        outdated = []
        if self.max_keep_ckpts > 0 and step not in self.keep_ckpt_ids:
            kept = [*self.keep_ckpt_ids, step]
            outdated = kept[:-self.max_keep_ckpts]
            self.keep_ckpt_ids.append(step)
            # With those that are about to be removed: a run that is killed before removes them when it is resumed.
            runner.message_hub.update_info('keep_ckpt_ids', kept)
        self._write(runner, self.filename_tmpl.format(step), meta)
        if is_main_process():
            self._remove([self.filename_tmpl.format(one) for one in outdated])
        if self.max_keep_ckpts > 0:
            runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))

    def _write(self, runner: Runner, name: str, meta: dict) -> None:
        self.last_ckpt = self.file_backend.join_path(self.out_dir, name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        runner.save_checkpoint(
            self.out_dir,
            name,
            self.file_client_args,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=dict(meta),
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args)
        if not is_main_process():
            return
        with write_atomically(Path(runner.work_dir) / POINTER) as temporary:
            temporary.write_text(self.last_ckpt, encoding='utf-8')
        if '://' not in self.out_dir:
            self._remove([path.name for path in find_within_epoch(self.out_dir) if path.name != name])

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        backend = self.file_backend
        self.file_backend = deferring = _DeferredRemoval(backend)
        try:
            super()._save_best_checkpoint(runner, metrics)
        finally:
            self.file_backend = backend
        kept = {getattr(self, 'best_ckpt_path', None), *getattr(self, 'best_ckpt_path_dict', {}).values()}
        for path in deferring.removed:
            if path not in kept:
                _remove(backend, path)

    def _remove(self, names: List[str]) -> None:
        for name in names:
            _remove(self.file_backend, self.file_backend.join_path(self.out_dir, name))


class _DeferredRemoval:
    """A file backend that notes what it is to remove."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self.removed: List[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def remove(self, path: str) -> None:
        self.removed.append(path)

    rmtree = remove


def _remove(backend: Any, path: str) -> None:
    if backend.isfile(path):
        backend.remove(path)
    elif backend.isdir(path):
        # Checkpoints of some strategies are folders.
        backend.rmtree(path)
