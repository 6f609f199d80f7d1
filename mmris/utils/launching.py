"""What the command lines of training and evaluation share: how processes are started, and what is done in them."""

import argparse
import os

import torch
from mmengine.config import Config
from torch import distributed

from .arguments import at_least
from .tracking import TRACKERS, add_trackers

PRECISIONS = ('float16', 'bfloat16')


def add_launcher_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--launcher``, and what launchers pass on their own."""
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm'], default='none', help='job launcher')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)


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

    Left to the interpreter's end, threads of the group may be torn down under it, and NCCL warns.
    """
    if distributed.is_initialized():
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
            f'{name} has nothing to train: its train_cfg is None. Evaluate it with tools/test.py {name}, and a '
            f'checkpoint if its weights are in one.')


def add_training_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what a training may be given beside its config."""
    parser.add_argument(
        '--resume',
        nargs='?',
        const='last',
        metavar='CHECKPOINT',
        help='go on from the last checkpoint in the work folder, or from this one; begins anew where there is none')
    parser.add_argument(
        '--seed', type=at_least(0), help='seed of weights, data order and masks (default: the config\'s)')
    parser.add_argument(
        '--amp',
        nargs='?',
        const='float16',
        choices=PRECISIONS,
        help='train in mixed precision, float16 unless told (needs a GPU)')
    parser.add_argument(
        '--accumulate', type=int, metavar='N', help='add up the gradients of N batches for each step of the optimiser')
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the rate by the samples of a step, over all processes and accumulated batches, to the config\'s '
        'base_batch_size')
    parser.add_argument(
        '--activation-checkpointing',
        action='store_true',
        help='compute the encoder\'s activations again in the backward pass: less memory, more time')
    parser.add_argument(
        '--ema',
        nargs='?',
        const=1e-4,
        type=float,
        metavar='MOMENTUM',
        help='evaluate and save a moving average of the weights: of the last tenth of the steps so far, and of no more '
        'than about 1 / MOMENTUM steps (default: 1e-4)')
    parser.add_argument(
        '--exclude-frozen',
        action='store_true',
        help='save checkpoints without the frozen parts that model.encoder.pretrained fills; to load one, it must name '
        'the same weights')
    parser.add_argument(
        '--track', nargs='+', choices=TRACKERS, default=[], help='also log to these (see docs/analysis.md)')


def set_training(config: Config, arguments: argparse.Namespace) -> None:
    """Change a config as the options of :func:`add_training_arguments` say.

    Raises:
        ValueError: If ``--amp`` is given without a GPU, or with an optimiser wrapper that it cannot change.
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
    if arguments.activation_checkpointing:
        config.model.encoder.activation_checkpointing = True
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


def enable_mixed_precision(config: Config, precision: str = 'float16') -> None:
    """Make the optimiser wrapper one of automatic mixed precision.

    Args:
        config (Config): The config to change.
        precision (str): ``'float16'``, with dynamic loss scaling, or ``'bfloat16'``, whose range needs none.

    Raises:
        ValueError: If there is no GPU.
        ValueError: If the config has another optimiser wrapper than the plain one.
    """
    if not torch.cuda.is_available():
        raise ValueError('--amp needs a GPU, and none is visible. Leave --amp out to train in float32.')
    kind = config.optim_wrapper.get('type', 'OptimWrapper')
    if kind not in ('OptimWrapper', 'AmpOptimWrapper'):
        raise ValueError(f'--amp changes an OptimWrapper, but the config has {kind}: set AmpOptimWrapper there.')
    config.optim_wrapper.update(type='AmpOptimWrapper', dtype=precision)
    config.optim_wrapper.setdefault('loss_scale', 'dynamic' if precision == 'float16' else dict(enabled=False))
