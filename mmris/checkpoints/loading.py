"""Weights into modules: all of them, or an error that tells what does not fit."""

import re
from pathlib import Path
from typing import Any, Mapping, Sequence, Union

from mmengine.logging import print_log
from torch import Tensor, nn

from .architectures import describe_architecture, find_architectures
from .key_maps.key_map import LEFT_OUT
from .left_out import put_back
from .reading import read_checkpoint
from .unwrapping import fit_names, unwrap_weights

# Of more keys than these, a message tells the number.
_SHOWN = 10


def load_tower(tower: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Load weights into a tower of CLIP.

    Args:
        tower (nn.Module): open_clip's ``VisionTransformer``, ``ModifiedResNet`` or ``TextTransformer``.
        state (Mapping[str, Tensor]): Its weights, as :func:`mmris.checkpoints.read_clip_weights` gives them.
        source (str): Where they come from, for messages.

    Raises:
        RuntimeError: If keys are missing or left over or shapes differ; the message tells which, and of which
            architecture the weights are.
    """
    misfits = find_misfits(tower.state_dict(), state)
    if misfits:
        raise RuntimeError(
            f'{source} does not fit the {type(tower).__name__} of the config. {describe_architecture(state)} {misfits}')
    tower.load_state_dict(state)


def load_model_weights(model: nn.Module, path: Union[str, Path], map_location: str = 'cpu') -> None:
    """Load a checkpoint that training wrote, or one that was converted or published, into a model for inference.

    Other frameworks' entries and prefixes around the weights do not matter: see :func:`unwrap_weights`.

    Keys of distillation branches that the model lacks are left out: inference does not need them. Frozen parts that
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
    checkpoint['state_dict'] = fit_names(unwrap_weights(checkpoint, str(path)), expected, str(path))
    put_back(checkpoint, model, path)
    state = {key: value for key, value in checkpoint['state_dict'].items() if not key.startswith(LEFT_OUT)}
    branches = [key for key in state if key.startswith('distillation.') and key not in expected]
    for key in branches:
        del state[key]
    needed = {key: value for key, value in expected.items() if key in state or not key.startswith('distillation.')}
    misfits = find_misfits(needed, state)
    if misfits:
        raise RuntimeError(f'{path} does not fit the model of the config. {misfits} {_advise(checkpoint, state)}')
    model.load_state_dict(state, strict=False)
    if branches:
        print_log(f'{path}: left out {len(branches)} distillation tensors, not needed here.', logger='current')


def find_misfits(expected: Mapping[str, Tensor], given: Mapping[str, Any]) -> str:
    """Compare weights with those that a module has.

    Args:
        expected (Mapping[str, Tensor]): The module's.
        given (Mapping[str, Any]): The file's.

    Returns:
        str: Which keys are missing, left over, of another shape or another kind of numbers; empty if all fits.
    """
    shared = [key for key in expected if key in given]
    tensors = [key for key in shared if isinstance(given[key], Tensor)]
    shapes = [
        f'{key} {tuple(given[key].shape)} in the file, {tuple(expected[key].shape)} in the model' for key in tensors
        if given[key].shape != expected[key].shape
    ]
    # Copied into a parameter, whole numbers would pass for weights.
    kinds = [f'{key} {given[key].dtype}' for key in tensors if _kind(given[key]) != _kind(expected[key])]
    kinds += [f'{key} {type(given[key]).__name__}' for key in shared if not isinstance(given[key], Tensor)]
    missing = [key for key in expected if key not in given]
    leftover = [key for key in given if key not in expected]
    if not (missing or leftover or shapes or kinds):
        return ''
    misfits = f'Missing: {_enumerate(missing)}. Left over: {_enumerate(leftover)}.'
    misfits += f' Of another shape: {_enumerate(shapes)}.' if shapes else ''
    return misfits + (f' Of another type: {_enumerate(kinds)}.' if kinds else '')


def _kind(tensor: Tensor) -> tuple:
    return tensor.is_floating_point(), tensor.is_complex()


def _enumerate(items: Sequence[str]) -> str:
    more = f' and {len(items) - _SHOWN} more' if len(items) > _SHOWN else ''
    return f'{", ".join(map(str, items[:_SHOWN]))}{more}' or 'none'


def _advise(checkpoint: Mapping[str, Any], state: Mapping[str, Any]) -> str:
    meta = checkpoint.get('meta')
    meta = meta if isinstance(meta, Mapping) else {}
    # MMEngine calls a run by the stem of its config and when it began.
    experiment = re.fullmatch(r'(.+)_\d{8}_\d{6}', str(meta.get('experiment_name', '')))
    config = meta.get('config') or (experiment and experiment[1])
    if config:
        return f'It was trained with the config {config}: use that.'
    prefix = 'encoder.image.clip.'
    image = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
    known = f' {describe_architecture(image)}' if find_architectures(image) else ''
    return f'Use the config that it was trained with.{known}'
