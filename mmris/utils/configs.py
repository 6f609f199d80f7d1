"""What command lines change of a config."""

from pathlib import Path
from typing import Optional

import torch
from mmengine.config import Config


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
