"""A runner that loads checkpoints and does nothing else."""

from pathlib import Path
from typing import Optional

from mmengine.runner import Runner

from mmris.registry import RUNNERS
from tests.conftest import tiny_config


def runner_of(work_dir: Path, model: Optional[dict] = None) -> Runner:
    """Build it for the config of a model. Default: the tiny one."""
    config = tiny_config()
    config.update(work_dir=str(work_dir), log_level='ERROR', experiment_name=work_dir.name,
                  train_dataloader=None, train_cfg=None, optim_wrapper=None, param_scheduler=None, custom_hooks=[],
                  val_dataloader=None, val_cfg=None, val_evaluator=None, test_dataloader=None, test_cfg=None,
                  test_evaluator=None)
    if model is not None:
        config.model = model
    return RUNNERS.build(config)
