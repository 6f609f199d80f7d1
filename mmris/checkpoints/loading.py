"""Checkpoints into models: all of their weights, or an error that says what does not fit."""

import re
from pathlib import Path
from typing import Any, Mapping, Union

from mmengine.logging import print_log
from torch import nn

from .files import read_checkpoint, strip_model_prefix, unwrap_weights
from .misfits import find_misfits
from .published import EXCLUDED
from .published.clip_architectures import IMAGE, describe_architecture, find_architectures, part_of
from .runs import restore_excluded_parts


def load_model_weights(model: nn.Module, path: Union[str, Path], map_location: str = 'cpu') -> None:
    """Load a checkpoint that training wrote, or one that was converted or published, into a model for inference.

    Other frameworks' entries and prefixes around the weights do not matter: see :func:`unwrap_weights`.

    Keys of distillation branches that the model lacks are dropped: inference does not need them. Frozen parts that
    the checkpoint was saved without are loaded by the model's encoder, from its ``pretrained``.

    Args:
        model (nn.Module): The model.
        path (str or Path): The checkpoint file.
        map_location (str): Device to read to. Defaults to ``'cpu'``.

    Raises:
        FileNotFoundError: If there is no such file.
        UnreadableCheckpointError: As :func:`read_checkpoint`.
        RuntimeError: If keys are missing or left over or shapes differ; the message tells which, and of which config
            the checkpoint says that it is.
        RuntimeError: If the checkpoint was saved without frozen parts, and ``encoder.pretrained`` does not give them.
    """
    checkpoint, expected = read_checkpoint(path, map_location), model.state_dict()
    checkpoint['state_dict'] = strip_model_prefix(
        unwrap_weights(checkpoint, str(path), expected), expected, str(path))
    restore_excluded_parts(checkpoint, model, path)
    state = {key: value for key, value in checkpoint['state_dict'].items() if not key.startswith(EXCLUDED)}
    branches = [key for key in state if key.startswith('distillation.') and key not in expected]
    for key in branches:
        del state[key]
    needed = {key: value for key, value in expected.items() if key in state or not key.startswith('distillation.')}
    misfits = find_misfits(needed, state)
    if misfits:
        raise RuntimeError(f'{path} does not fit the model of the config. {misfits} {_advise(checkpoint, state)}')
    model.load_state_dict(state, strict=False)
    if branches:
        print_log(f'{path}: dropped {len(branches)} distillation tensors, not needed here.', logger='current')


def _advise(checkpoint: Mapping[str, Any], state: Mapping[str, Any]) -> str:
    meta = checkpoint.get('meta')
    meta = meta if isinstance(meta, Mapping) else {}
    # MMEngine calls a run by the stem of its config and when it began.
    experiment = re.fullmatch(r'(.+)_\d{8}_\d{6}', str(meta.get('experiment_name', '')))
    config = meta.get('config') or (experiment and experiment[1])
    if config:
        return f'It was trained with the config {config}: use that.'
    image = part_of(state, f'encoder.{IMAGE}')
    known = f' {describe_architecture(image)}' if find_architectures(image) else ''
    return f'Use the config that it was trained with.{known}'
