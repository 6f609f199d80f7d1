"""What a feature cache did, in the log."""

from typing import Dict, Optional

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmris.registry import HOOKS
from mmris.utils import unwrap_model


@HOOKS.register_module()
class FeatureCacheHook(Hook):
    """Logs how many images of each epoch and evaluation a feature cache had, and at the end what it holds.

    :class:`~mmris.engine.ReferringRunner` adds it to runs of models with ``feature_cache``. Counts are those of all
    processes.
    """

    def after_train_epoch(self, runner: Runner) -> None:
        """Log the counts of a training epoch."""
        self._log_counts(runner, f'epoch {runner.epoch + 1} of training')

    def after_val_epoch(self, runner: Runner, metrics: Optional[Dict[str, float]] = None) -> None:
        """Log the counts of a validation."""
        self._log_counts(runner, 'validation')

    def after_test_epoch(self, runner: Runner, metrics: Optional[Dict[str, float]] = None) -> None:
        """Log the counts of an evaluation."""
        self._log_counts(runner, 'evaluation')

    def after_train(self, runner: Runner) -> None:
        """Log what the cache holds."""
        self._log_content(runner)

    def after_test(self, runner: Runner) -> None:
        """Log what the cache holds."""
        self._log_content(runner)

    @staticmethod
    def _log_counts(runner: Runner, what: str) -> None:
        counts = torch.tensor(unwrap_model(runner.model).feature_cache.take_counts())
        all_reduce(counts)
        found, computed = counts.tolist()
        runner.logger.info(f'Feature cache, {what}: {found:,} images found, {computed:,} computed.')

    @staticmethod
    def _log_content(runner: Runner) -> None:
        runner.logger.info(f'Feature cache: {unwrap_model(runner.model).feature_cache.describe()}.')
