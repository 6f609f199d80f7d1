"""Checkpoints into models: all of their weights, or an error that says what does not fit."""

import re
from pathlib import Path
from typing import Any, Mapping, Tuple, Union

from mmengine.logging import print_log
from torch import nn

from mmris.zoo import MODEL, find_weights

from .files import State, read_checkpoint, strip_model_prefix, unwrap_weights
from .misfits import Misfits, compare_weights
from .published import EXCLUDED
from .published.clip_architectures import IMAGE, describe_architecture, find_architectures, part_of
from .runs import restore_excluded_parts

DISTILLATION = 'distillation.'


def load_model_weights(model: nn.Module, path: Union[str, Path], map_location: str = 'cpu') -> None:
    """Load a checkpoint that training wrote, or one that was converted or published, into a model for inference.

    Other frameworks' entries and prefixes around the weights do not matter: see :func:`unwrap_weights`.

    Keys of distillation branches that the model lacks are dropped: inference does not need them. Frozen parts that
    the checkpoint was saved without are loaded by the model's encoder, from its ``pretrained``.

    Args:
        model (nn.Module): The model.
        path (str or Path): The checkpoint file, or a whole model's name in the zoo.
        map_location (str): Device to read to. Defaults to ``'cpu'``.

    Raises:
        FileNotFoundError: If there is no such file.
        UnreadableCheckpointError: As :func:`read_checkpoint`.
        RuntimeError: If keys are missing or left over or shapes differ; the message tells which, and of which config
            the checkpoint says that it is.
        RuntimeError: If the checkpoint was saved without frozen parts, and ``encoder.pretrained`` does not give them.
        ValueError: If the zoo's name is of towers.
        FileNotFoundError, ConnectionError, ValueError: If the zoo's file cannot be fetched.
    """
    path = find_weights(path, MODEL)
    checkpoint, state, misfits = _read(model, path, map_location)
    if misfits:
        raise RuntimeError(f'{path} does not fit the model of the config. {misfits} {_advise(checkpoint, state)}')
    branches = [key for key in state if key.startswith(DISTILLATION) and key not in model.state_dict()]
    model.load_state_dict({key: value for key, value in state.items() if key not in branches}, strict=False)
    if branches:
        print_log(f'{path}: dropped {len(branches)} distillation tensors, not needed here.', logger='current')


def compare_checkpoint(model: nn.Module, path: Union[str, Path]) -> Misfits:
    """Compare a checkpoint with a model, by the rules of :func:`load_model_weights`.

    Args:
        model (nn.Module): The model, which stays as it is.
        path (str or Path): The checkpoint file, or a whole model's name in the zoo.

    Returns:
        Misfits: All that differs.

    Raises:
        FileNotFoundError, ConnectionError, ValueError, RuntimeError: As :func:`load_model_weights`.
    """
    return _read(model, find_weights(path, MODEL), 'cpu')[2]


def _read(model: nn.Module, path: str, map_location: str) -> Tuple[dict, State, Misfits]:
    """A checkpoint, its weights by the model's keys, and what of them does not fit."""
    checkpoint, expected = read_checkpoint(path, map_location), model.state_dict()
    checkpoint['state_dict'] = strip_model_prefix(unwrap_weights(checkpoint, path, expected), expected, path)
    restore_excluded_parts(checkpoint, model, path)
    state = {key: value for key, value in checkpoint['state_dict'].items() if not key.startswith(EXCLUDED)}
    needed = {key: value for key, value in expected.items() if key in state or not key.startswith(DISTILLATION)}
    given = {key: value for key, value in state.items() if key in expected or not key.startswith(DISTILLATION)}
    return checkpoint, state, compare_weights(needed, given)


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
