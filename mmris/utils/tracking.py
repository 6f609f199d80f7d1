"""Sending what a training logs to TensorBoard or Weights & Biases."""

import importlib.util
from typing import Sequence

from mmengine.config import Config

from .modules import type_name

# By the name of the option, which is also the package's.
TRACKERS = dict(
    tensorboard=dict(type='TensorboardVisBackend'),
    # Against steps of training; by itself W&B counts calls.
    wandb=dict(type='LeanWandbVisBackend', define_metric_cfg=[dict(name='*', step_metric='iter')]))


def add_trackers(config: Config, names: Sequence[str]) -> None:
    """Add backends to the visualizer of a config: losses, metrics and sheets of predictions go there too.

    What training and validation log then begins with ``train/`` and ``val/``, so that the times of both are two
    curves and not one.

    Args:
        config (Config): The config to change.
        names (Sequence[str]): Of :data:`TRACKERS`. One that the config has already is left as it is.

    Raises:
        ValueError: If a name is unknown, or the config has no visualizer.
        ModuleNotFoundError: If a tracker's package is not installed; the message tells the command.
    """
    for name in names:
        if name not in TRACKERS:
            raise ValueError(f'There is no tracker {name!r}. Use {" or ".join(TRACKERS)}.')
        if importlib.util.find_spec(name) is None:
            raise ModuleNotFoundError(f'Tracking with {name} needs its package. Run: pip install {name}')
        if config.get('visualizer') is None:
            raise ValueError(f'Tracking with {name} needs a visualizer, and the config has none: begin it with '
                             f'_base_ = \'../_base_/default_runtime.py\'.')
        backends = config.visualizer.get('vis_backends') or []
        if TRACKERS[name]['type'] not in [type_name(backend) for backend in backends]:
            config.visualizer.vis_backends = [*backends, dict(TRACKERS[name])]
        config.log_processor = dict(config.get('log_processor') or {}, log_with_hierarchy=True)
