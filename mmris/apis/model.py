"""A trained model from a config and a checkpoint."""

from pathlib import Path
from typing import Optional, Union

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn

from mmris.checkpoints import load_model_weights
from mmris.registry import MODELS
from mmris.utils import find_config


def init_model(config: Union[str, Path, Config],
               checkpoint: Optional[Union[str, Path]] = None,
               device: Optional[str] = None) -> nn.Module:
    """Build a model for inference.

    Args:
        config (str, Path or Config): A config file, the name of one of the project's
            (``'mmris::cm_masksd/vit-tiny_shaperef.py'``), or a read one.
        checkpoint (str or Path, optional): A checkpoint of training. Defaults to None: random weights.
        device (str, optional): Such as ``'cpu'`` or ``'cuda:0'``. Defaults to None: a GPU where there is one.

    Returns:
        nn.Module: The model in evaluation mode; its ``cfg`` is the config.

    Raises:
        FileNotFoundError: If there is no such config or checkpoint.
        ValueError, RuntimeError: If the checkpoint cannot be read or does not fit (see
            :func:`mmris.checkpoints.load_model_weights`).
    """
    if not isinstance(config, Config):
        path = find_config(config)
        if not path.is_file():
            raise FileNotFoundError(f'There is no config {path}.')
        config = Config.fromfile(path)
    init_default_scope('mmris')
    model = MODELS.build(config.model)
    if checkpoint is not None:
        load_model_weights(model, checkpoint)
    model.cfg = config
    model.to(device or ('cuda' if torch.cuda.is_available() else 'cpu'))
    return model.eval()
