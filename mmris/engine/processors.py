"""Distribution over processors, where there are no GPUs."""

from typing import Any, Dict

import torch
from mmengine.config import Config
from mmengine.dist import is_distributed
from mmengine.logging import MMLogger
from torch import distributed


def join_processors(launcher: str) -> None:
    """Join the processes of a launcher by gloo, if no GPU is visible and they are not joined yet.

    Args:
        launcher (str): How they were started.

    Raises:
        ValueError: If there is no GPU and the launcher is not ``pytorch``.
    """
    if is_distributed() or torch.cuda.is_available():
        return
    if launcher != 'pytorch':
        raise ValueError(
            f'No GPU is visible, and launcher {launcher} starts processes on GPUs alone. On processors use '
            f'tools/dist_train.sh or torchrun with --launcher pytorch.')
    distributed.init_process_group(backend='gloo')


def wrapper_of_processors(config: Config, logger: MMLogger) -> Dict[str, Any]:
    """Make the config of what wraps a model on processors, which has no device and no SyncBatchNorm.

    Args:
        config (Config): The runner's. Its ``sync_bn`` is taken out, with a warning.
        logger (MMLogger): Gets the warning.

    Returns:
        dict: Config of a model wrapper.
    """
    if config.get('sync_bn') is not None:
        logger.warning('sync_bn is left out: it needs GPUs. BatchNorm takes each process\'s own batch.')
        config.sync_bn = None
    return dict(
        type='MMDistributedDataParallel',
        broadcast_buffers=False,
        device_ids=None,
        find_unused_parameters=config.get('find_unused_parameters', False))
