"""What the command lines share: a config, and what they change of it."""

import argparse
from pathlib import Path
from typing import Optional

import torch
from mmengine.config import Config, DictAction

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


def add_config_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``config`` and the options that change it: data of another place, or any value."""
    parser.add_argument('config', help='config file')
    parser.add_argument('--data-root', help='folder of the data set, for all splits (default: the config\'s)')
    parser.add_argument('--refs-file', help='refs file in that folder, such as "refs(unc).p" (default: the config\'s)')
    parser.add_argument('--image-folder', help='folder of the images, below --data-root (default: the config\'s)')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE', help='change values of the config')


def read_config(arguments: argparse.Namespace) -> Config:
    """Read the config of a command line and change it as the options say.

    Raises:
        FileNotFoundError: If there is no such config.
    """
    check_inputs(config=arguments.config)
    config = Config.fromfile(arguments.config)
    changes = dict(
        data_root=arguments.data_root,
        refs_file=arguments.refs_file,
        data_prefix=arguments.image_folder and dict(img_path=arguments.image_folder))
    for loader in (config[name] for name in LOADERS if name in config):
        loader.dataset.update({name: value for name, value in changes.items() if value})
    if arguments.cfg_options is not None:
        config.merge_from_dict(arguments.cfg_options)
    return config


def add_launcher_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--launcher``, and what launchers pass on their own."""
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none', help='job launcher')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)


def name_work_dir(config: Config, config_path: str, work_dir: Optional[str]) -> None:
    """Set ``config.work_dir``: as given, as the config says, or ``work_dirs/<config name>``."""
    if work_dir is not None:
        config.work_dir = work_dir
    elif config.get('work_dir') is None:
        config.work_dir = str(Path('work_dirs') / Path(config_path).stem)


def enable_mixed_precision(config: Config) -> None:
    """Make the optimiser wrapper one of automatic mixed precision with dynamic loss scaling.

    Raises:
        ValueError: If there is no GPU.
        ValueError: If the config has another optimiser wrapper than the plain one.
    """
    if not torch.cuda.is_available():
        raise ValueError('--amp needs a GPU, and none is visible. Leave --amp out to train in float32.')
    kind = config.optim_wrapper.get('type', 'OptimWrapper')
    if kind not in ('OptimWrapper', 'AmpOptimWrapper'):
        raise ValueError(f'--amp changes an OptimWrapper, but the config has {kind}: set AmpOptimWrapper there.')
    config.optim_wrapper.type = 'AmpOptimWrapper'
    config.optim_wrapper.setdefault('loss_scale', 'dynamic')


def check_inputs(**files: str) -> None:
    """Check that the files given on a command line are there.

    Args:
        **files (str): Paths, by what each is called in the message.

    Raises:
        FileNotFoundError: If one is not there.
    """
    for name, path in files.items():
        if not Path(path).is_file():
            raise FileNotFoundError(f'There is no {name} {path}.')
