"""Configs of the project, as the parts of a check change them."""

import argparse
import itertools
from pathlib import Path
from typing import Union

from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmris.datasets.shaperef import write_shaperef
from mmris.utils.configs import read_config
from mmris.utils.pretrained import forget_pretrained

# MMEngine keeps runs apart by the name of their experiment.
_NUMBERS = itertools.count()


def read_project_config(name: str) -> Config:
    """Read one of the project's configs, for random weights.

    Args:
        name (str): Below ``configs``, without its ending, such as ``'cris/rn101_refcoco'``.

    Returns:
        Config: The config, with its pipelines.
    """
    config = read_config(
        argparse.Namespace(
            config=f'mmris::{name}.py', data_root=None, refs_file=None, image_folder=None, cfg_options=None))
    forget_pretrained(config.model)
    init_default_scope(config.get('default_scope', 'mmris'))
    config.load_from, config.resume = None, False
    return config


def set_run(config: Config, work_dir: Union[str, Path]) -> None:
    """Give a config of a run its folder and its name."""
    config.work_dir, config.experiment_name = str(work_dir), f'gpu_check_{next(_NUMBERS)}'


def read_training(name: str, data_root: Union[str, Path], work_dir: Union[str, Path]) -> Config:
    """Read a config to train on a small ShapeRef, which :func:`write_small_set` wrote: two steps of one epoch.

    Args:
        name (str): See :func:`read_project_config`.
        data_root (str or Path): The set.
        work_dir (str or Path): Where checkpoints and logs go.

    Returns:
        Config: The config.
    """
    config = read_project_config(name)
    for loader in (config.train_dataloader, config.val_dataloader):
        loader.update(batch_size=2, num_workers=0)
        loader.dataset.data_root = str(data_root)
    config.train_cfg.max_epochs = 1
    config.update(test_dataloader=None, test_cfg=None, test_evaluator=None)
    config.default_hooks.logger.interval = 1
    set_run(config, work_dir)
    return config


def write_small_set(folder: Union[str, Path], images: int) -> Path:
    """Write a ShapeRef of so many images in train, and two in val."""
    write_shaperef(folder, counts=dict(train=images, val=2), processes=1)
    return Path(folder)
