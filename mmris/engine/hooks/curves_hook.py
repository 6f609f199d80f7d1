"""Curves of a training, while it runs."""

from pathlib import Path
from typing import Dict, Optional

from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmris.registry import HOOKS
from mmris.utils.training_log import read_training_log
from mmris.visualization.curves import draw_curves
from mmris.visualization.plots import save_figure

from ..progress import is_training


@HOOKS.register_module()
class CurvesHook(Hook):
    """Draws ``curves.png`` in the work folder after each validation and at the end: losses, metrics, learning rate.

    If distillation branches logged their share of the target's patches, a panel shows it, with chance as a dashed line.

    It reads what ``LocalVisBackend`` wrote, in all starts of the run. ``mmris analyze_logs`` draws
    the same, and several runs over one another.
    """

    # After LoggerHook, which writes the metrics.
    priority = 'LOW'

    def after_val_epoch(self, runner: Runner, metrics: Optional[Dict[str, float]] = None) -> None:
        """Draw, if this is a validation of a training."""
        if is_training(runner):
            self._draw(runner)

    def after_train(self, runner: Runner) -> None:
        """Draw."""
        self._draw(runner)

    @master_only
    def _draw(self, runner: Runner) -> None:
        work_dir = Path(runner.work_dir)
        try:
            save_figure(draw_curves({work_dir.name: read_training_log(work_dir)}), work_dir / 'curves.png')
        except Exception as error:
            # A picture is no reason to end a training.
            runner.logger.warning(f'curves.png was not drawn: {error}')
