"""What the command lines of training and evaluation share: how processes are started, and what is done in them."""

import argparse
import gc
import os
from typing import Optional

from mmengine.config import Config
from torch import distributed

from .precision import check_precision
from .tracking import add_trackers

# What --amp can change.
_WRAPPERS = ('OptimWrapper', 'AmpOptimWrapper', 'BFloat16OptimWrapper')


def set_launcher(config: Config, arguments: argparse.Namespace) -> None:
    """Take over how the processes were started."""
    set_launcher_environment(arguments)
    config.launcher = arguments.launcher


def set_launcher_environment(arguments: argparse.Namespace) -> None:
    """Set the variables by which the processes that a launcher started find one another, if it has not set them."""
    os.environ.setdefault('LOCAL_RANK', str(arguments.local_rank))
    if arguments.launcher == 'slurm':
        # Another port for each job: two may share a machine.
        os.environ.setdefault('MASTER_PORT', str(20000 + int(os.environ.get('SLURM_JOB_ID', 0)) % 20000))


def destroy_process_group() -> None:
    """Leave the group of processes that the launcher started, if any: to be called when all work is done.

    Left to the interpreter's end, threads of the group may be torn down under it, and NCCL warns. The threads live as
    long as anything refers to the group, as a distributed model does, so callers must have let go of runner and model:
    a thread of Gloo that frees a tensor while the interpreter ends aborts the process.
    """
    if distributed.is_initialized():
        # Runner, model and hooks refer to one another.
        gc.collect()
        distributed.destroy_process_group()


def check_trainable(config: Config, name: str) -> None:
    """Check that a config says how to train.

    Args:
        config (Config): The config.
        name (str): What the user calls it.

    Raises:
        ValueError: If it has no ``train_cfg``.
    """
    if config.get('train_cfg') is None:
        raise ValueError(
            f'{name} has nothing to train: its train_cfg is None. Evaluate it with mmris test {name}, and a '
            f'checkpoint if its weights are in one.')


def set_training(config: Config, arguments: argparse.Namespace) -> None:
    """Change a config as the options of :func:`mmris.command_line.arguments.add_training_arguments` say.

    Raises:
        ValueError: If ``--amp`` is float16 without a GPU, or meets an optimiser wrapper that it cannot change.
        ValueError: If ``--accumulate`` is below 1, or ``--auto-scale-lr`` meets a config without a base batch.
        ModuleNotFoundError: If a package that ``--track`` needs is not installed.
    """
    if arguments.resume is not None:
        config.resume = 'last' if arguments.resume == 'last' else True
        config.load_from = config.get('load_from') if arguments.resume == 'last' else arguments.resume
    if arguments.seed is not None:
        config.randomness.seed = arguments.seed
    if arguments.amp is not None:
        enable_mixed_precision(config, arguments.amp)
    if arguments.accumulate is not None:
        if arguments.accumulate < 1:
            raise ValueError(f'--accumulate is a number of batches, 1 or more, but got {arguments.accumulate}.')
        config.optim_wrapper.accumulative_counts = arguments.accumulate
    if arguments.auto_scale_lr:
        if 'base_batch_size' not in config.get('auto_scale_lr', {}):
            raise ValueError(
                '--auto-scale-lr needs the batch that the config\'s rate was chosen for: set '
                'auto_scale_lr = dict(base_batch_size=...) there.')
        config.auto_scale_lr.enable = True
    if arguments.compile:
        config.compile = True
    if arguments.activation_checkpointing:
        config.model.encoder.activation_checkpointing = True
    set_feature_cache(config, arguments.cache_features)
    if arguments.ema is not None:
        # Annealed, so that the random weights of the beginning do not stay in the average of a short training. It
        # counts batches, of which a step of the optimiser takes several where gradients are accumulated.
        batches = config.optim_wrapper.get('accumulative_counts', 1)
        average = dict(
            type='EMAHook',
            ema_type='MomentumAnnealingEMA',
            momentum=arguments.ema,
            gamma=10 * batches,
            interval=batches)
        config.custom_hooks = [*config.get('custom_hooks', []), average]
    if arguments.exclude_frozen:
        config.custom_hooks = [*config.get('custom_hooks', []), dict(type='ExcludeFrozenHook')]
    add_trackers(config, arguments.track)


def set_feature_cache(config: Config, folder: Optional[str]) -> None:
    """Keep features of frozen towers in a folder, besides what the config says of ``model.feature_cache``.

    Args:
        config (Config): The config to change.
        folder (str, optional): The folder. None: the config stays as it is.
    """
    if folder is not None:
        config.model.feature_cache = {**(config.model.get('feature_cache') or {}), 'folder': folder}


def enable_mixed_precision(config: Config, precision: str = 'float16') -> None:
    """Make the optimiser wrapper one of automatic mixed precision.

    Args:
        config (Config): The config to change.
        precision (str): ``'float16'``, with dynamic loss scaling, or ``'bfloat16'``, whose range needs none.

    Raises:
        ValueError: See :func:`mmris.utils.precision.check_precision`.
        ValueError: If the config has another optimiser wrapper than the plain one.
    """
    check_precision(precision)
    kind = config.optim_wrapper.get('type', 'OptimWrapper')
    if kind not in _WRAPPERS:
        raise ValueError(f'--amp changes an OptimWrapper, but the config has {kind}: set AmpOptimWrapper there.')
    if precision == 'bfloat16':
        for name in ('dtype', 'loss_scale'):
            # Of an AmpOptimWrapper.
            config.optim_wrapper.pop(name, None)
        config.optim_wrapper.type = 'BFloat16OptimWrapper'
    else:
        config.optim_wrapper.update(type='AmpOptimWrapper', dtype=precision)
        config.optim_wrapper.setdefault('loss_scale', 'dynamic')
