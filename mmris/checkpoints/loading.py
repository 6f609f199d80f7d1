"""Checkpoints into models: all of their weights, or an error that says what does not fit."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Collection, Mapping, Optional, Tuple, Union

import torch
from mmengine.logging import print_log
from torch import nn

from mmris.zoo import MODEL, find_weights

from .files import State, UnreadableCheckpointError, read_checkpoint, strip_model_prefix, unwrap_weights
from .misfits import Misfits, compare_weights
from .published import EXCLUDED, PUBLISHED, convert_whole, is_whole_published
from .published.clip_architectures import IMAGE, describe_architecture, find_architectures, part_of
from .runs import read_excluded_parts, restore_excluded_parts

DISTILLATION = 'distillation.'


@dataclass(frozen=True)
class ModelCheckpoint:
    """What a checkpoint holds, before it is known which model it goes into.

    Attributes:
        content (dict): As :func:`~mmris.checkpoints.files.read_checkpoint` gives it.
        path (str): Its file.
    """

    content: dict
    path: str

    @property
    def is_whole(self) -> bool:
        """bool: Whether no frozen part was excluded when it was saved."""
        return not read_excluded_parts(self.content, self.path)

    def weights_for(self, model: nn.Module) -> Tuple[State, Misfits]:
        """The weights by the model's keys, and how they differ from those that the model has.

        Args:
            model (nn.Module): The model.

        Raises:
            UnreadableCheckpointError, KeyMapError: If the weights cannot be brought to the model's names.
            RuntimeError: If frozen parts were excluded, and ``encoder.pretrained`` does not give them.
        """
        expected, content = model.state_dict(), dict(self.content)
        content['state_dict'] = name_as_model(unwrap_weights(content, self.path, expected), expected, self.path)
        restore_excluded_parts(content, model, self.path)
        state = content['state_dict']
        needed = {key: value for key, value in expected.items() if key in state or not key.startswith(DISTILLATION)}
        given = {key: value for key, value in state.items() if key in expected or not key.startswith(DISTILLATION)}
        return state, compare_weights(needed, given)


def read_model_checkpoint(path: Union[str, Path], dtype: Optional[torch.dtype] = None) -> ModelCheckpoint:
    """Read a checkpoint of a whole model: one that training wrote, or that was converted or published.

    Args:
        path (str or Path): The checkpoint file, a folder as the Hugging Face hub gives it, or a whole model's name in
            the zoo.
        dtype (torch.dtype, optional): Cast large weights to this type while they are read. Default: None.

    Returns:
        ModelCheckpoint: Its content.

    Raises:
        FileNotFoundError: If there is no such file.
        UnreadableCheckpointError: As :func:`read_whole`.
        ValueError: If the zoo's name is of towers.
        FileNotFoundError, ConnectionError, ValueError: If the zoo's file cannot be fetched.
    """
    path = find_weights(path, MODEL)
    return ModelCheckpoint(read_whole(path, dtype), path)


def read_whole(path: str, dtype: Optional[torch.dtype] = None) -> dict:
    """Read a file of a whole model: one that training wrote, or that was converted or published.

    As :func:`read_checkpoint`, but parts of a published model that stand in entries of their own are joined to the
    others. If a file holds objects that are not tensors, it is refused too, unless it is of a published model whose
    files hold such objects: of these the tensors are read alone.

    Args:
        path (str): A file, an address, or a folder.
        dtype (torch.dtype, optional): Cast large weights to this type while they are read. Default: None.

    Returns:
        dict: Its content.

    Raises:
        FileNotFoundError, UnreadableCheckpointError: As :func:`read_checkpoint`.
    """
    joined = {entry: prefix for model in PUBLISHED.values() if model.whole for entry, prefix in model.joined.items()}
    try:
        return read_checkpoint(path, dtype=dtype, joined=joined)
    except UnreadableCheckpointError:
        content = _read_published_alone(path, dtype)
        if content is None:
            raise
        return content


def _read_published_alone(path: str, dtype: Optional[torch.dtype]) -> Optional[dict]:
    """The tensors of a published whole model whose files hold more; None if the file is of no such model."""
    for model in PUBLISHED.values():
        if not (model.whole and model.tensors_alone):
            continue
        try:
            content = model.read_file(path, dtype=dtype)
            if is_whole_published(model, unwrap_weights(content, path), path):
                return content
        except UnreadableCheckpointError:
            # What the first reading said of the file holds.
            return None
    return None


def name_as_model(state: State, expected: Collection[str], path: str) -> State:
    """Bring weights to a model's names.

    A prefix that is not the model's is removed, and the layout of a published whole model, such as CRIS, is converted.

    Args:
        state (dict[str, Tensor]): The weights, as :func:`unwrap_weights` gives them.
        expected (Collection[str]): The model's names.
        path (str): What to call their file in messages.

    Returns:
        dict[str, Tensor]: The weights.

    Raises:
        UnreadableCheckpointError: As :func:`strip_model_prefix`.
        KeyMapError: If weights are in a published layout, and keys are left over, or keys that belong together are not
            all there.
    """
    for model in PUBLISHED.values():
        converted = convert_whole(model, state, path) if model.whole else None
        if converted is not None:
            print_log(f'{path} is in the published layout of {model.title}: read as ours.', logger='current')
            break
    else:
        converted = strip_model_prefix(state, expected, path)
    # What the published model has and ours does not.
    return {key: value for key, value in converted.items() if not key.startswith(EXCLUDED)}


def load_model_weights(model: nn.Module, checkpoint: Union[str, Path, ModelCheckpoint]) -> None:
    """Load a checkpoint that training wrote, or one that was converted or published, into a model for inference.

    Other frameworks' entries and prefixes around the weights do not matter, nor do published layouts of whole models:
    see :func:`unwrap_weights` and :func:`name_as_model`.

    Keys of distillation branches that the model lacks are dropped: inference does not need them. Frozen parts that
    the checkpoint was saved without are loaded by the model's encoder, from its ``pretrained``.

    Args:
        model (nn.Module): The model. Parameters without content (:func:`~mmris.utils.empty_parameters`) become those
            of the checkpoint, in their own type of numbers, without a copy where that is the checkpoint's.
        checkpoint (str, Path or ModelCheckpoint): What :func:`read_model_checkpoint` takes, or what it gave.

    Raises:
        FileNotFoundError, UnreadableCheckpointError, ValueError, ConnectionError: As :func:`read_model_checkpoint`.
        RuntimeError: If keys are missing or left over or shapes differ; the message tells which, and of which config
            the checkpoint says that it is.
        RuntimeError: If the checkpoint was saved without frozen parts, and ``encoder.pretrained`` does not give them.
    """
    given = checkpoint if isinstance(checkpoint, ModelCheckpoint) else read_model_checkpoint(checkpoint)
    state, misfits = given.weights_for(model)
    if misfits:
        advice = _advise(given.content, state)
        raise RuntimeError(f'{given.path} does not fit the model of the config. {misfits} {advice}')
    own = model.state_dict()
    branches = [key for key in state if key.startswith(DISTILLATION) and key not in own]
    empty = any(parameter.is_meta for parameter in model.parameters())
    if empty:
        # One by one, so that what was read is given up as soon as it is cast.
        for key in own:
            state[key] = state[key].to(own[key].dtype)
    model.load_state_dict({key: state[key] for key in state if key not in branches}, strict=False, assign=empty)
    if branches:
        print_log(f'{given.path}: dropped {len(branches)} distillation tensors, not needed here.', logger='current')


def compare_checkpoint(model: nn.Module, path: Union[str, Path]) -> Misfits:
    """Compare a checkpoint with a model, by the rules of :func:`load_model_weights`.

    Args:
        model (nn.Module): The model, which stays as it is.
        path (str or Path): As :func:`read_model_checkpoint` takes it.

    Returns:
        Misfits: All that differs.

    Raises:
        FileNotFoundError, ConnectionError, ValueError, RuntimeError: As :func:`load_model_weights`.
    """
    return read_model_checkpoint(path).weights_for(model)[1]


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
