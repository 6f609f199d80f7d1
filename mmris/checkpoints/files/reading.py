"""Reading files of weights, our own and others'."""

import json
from contextlib import nullcontext
from pathlib import Path
from typing import ContextManager, Optional, Union

import safetensors
import torch
from mmengine import fileio

from mmris.zoo import suggest

from .kinds import FileKind, UnreadableCheckpointError, identify, unreadable
from .tensors_only import read_tensors_only
from .torch_save import MapLocation, read_torch_save
from .torchscript import read_torchscript


def read_checkpoint(path: Union[str, Path],
                    map_location: MapLocation = 'cpu',
                    trust: bool = False,
                    trust_option: Optional[str] = None) -> dict:
    """Read weights as tensors and plain values alone: no code of the file is run.

    What format the file has shows from its content, not from its name: those of ``torch.save``, safetensors, or a
    TorchScript archive, of which parameters and buffers are read.

    Args:
        path (str or Path): A file, or an address that MMEngine's file backends read (``https://...``).
        map_location (str, device or callable): Where tensors of ``torch.save`` are read to; those of other formats
            are read to the processor's memory first. Defaults to ``'cpu'``.
        trust (bool): Read what ``torch.save`` wrote without restriction, which runs the code that the file asks for.
            Defaults to False.
        trust_option (str, optional): What users set for ``trust``, for the message of a refusal. Defaults to None:
            they cannot.

    Returns:
        dict: Its content; of a safetensors file or an archive ``state_dict`` and ``meta``.

    Raises:
        FileNotFoundError: If there is no such file, or nothing that reads addresses of its kind.
        UnreadableCheckpointError: If the file is no checkpoint, or a truncated or damaged one, or holds more than
            tensors and training state, or weights without names.
    """
    with _local_file(str(path)) as name:
        local = Path(name)
        return _read(local, _identify(local, path), map_location, trust, trust_option, str(path))


def read_tensors(path: Union[str, Path],
                 trust: bool = False,
                 trust_option: Optional[str] = None) -> dict:
    """Read weights of a file that may hold anything besides, which is left out: no code of the file is run.

    As :func:`read_checkpoint`, but what else an archive of ``torch.save`` holds, as callbacks and settings of the
    framework that trained, is neither refused nor needed. Files of ``torch.save`` in its old format, of before PyTorch
    1.6, are not read so.

    Args:
        path (str or Path): A file, or an address that MMEngine's file backends read (``https://...``).
        trust (bool): Read the old format without restriction, which runs the code that the file asks for. Defaults to
            False.
        trust_option (str, optional): What users set for ``trust``, for the message of a refusal. Defaults to None:
            they cannot.

    Returns:
        dict: ``state_dict`` of an archive, in which what is no tensor is there as something else; of other formats
        as :func:`read_checkpoint`.

    Raises:
        FileNotFoundError: If there is no such file.
        UnreadableCheckpointError: If the file is no checkpoint, or a truncated or damaged one, or in the old format
            and holds more than tensors and training state.
    """
    with _local_file(str(path)) as name:
        local = Path(name)
        kind = _identify(local, path)
        if kind is FileKind.TORCH:
            return read_tensors_only(local, str(path))
        return _read(local, kind, 'cpu', trust, trust_option, str(path))


def _identify(local: Path, path: Union[str, Path]) -> FileKind:
    if not local.is_file():
        raise FileNotFoundError(f'There is no checkpoint {path}.{suggest(path)}')
    return identify(local, str(path))


def _read(local: Path, kind: FileKind, map_location: MapLocation, trust: bool, trust_option: Optional[str],
          path: str) -> dict:
    if kind is FileKind.SAFETENSORS:
        return _read_safetensors(local, map_location, path)
    if kind is FileKind.TORCHSCRIPT:
        state = read_torchscript(local, path)
        return dict(state_dict={key: _move(tensor, map_location) for key, tensor in state.items()}, meta={})
    checkpoint = read_torch_save(local, map_location, trust, trust_option, path)
    if not isinstance(checkpoint, dict):
        raise UnreadableCheckpointError(
            f'{path} holds a {type(checkpoint).__name__}, but a checkpoint is a dict with `state_dict`.')
    state = checkpoint.get('state_dict', checkpoint)
    odd = [key for key in state if not isinstance(key, str)] if isinstance(state, dict) else [type(state).__name__]
    if odd:
        where = '' if state is checkpoint else ' under `state_dict`'
        raise UnreadableCheckpointError(
            f'{path} has no weights{where}: they are a dict of tensors by name, but there is {odd[0]!r}.')
    return checkpoint


def _local_file(path: str) -> ContextManager:
    if '://' not in path:
        return nullcontext(path)
    try:
        fileio.get_file_backend(path)
    except KeyError as error:
        raise FileNotFoundError(
            f'There is no checkpoint {path}: MMEngine has no file backend for {path.split("://")[0]}://. Fetch the '
            f'file, and name that.') from error
    return fileio.get_local_path(path)


def _move(tensor: torch.Tensor, map_location: MapLocation) -> torch.Tensor:
    return tensor if callable(map_location) else tensor.to(map_location)


def _read_safetensors(local: Path, map_location: MapLocation, path: str) -> dict:
    try:
        with safetensors.safe_open(local, framework='pt') as file:
            state = {key: _move(file.get_tensor(key), map_location) for key in file.keys()}
            metadata = file.metadata() or {}
    except safetensors.SafetensorError as error:
        raise unreadable(path, f'it is a safetensors file that is truncated or damaged ({error})') from error
    # What is more than text stands as one entry there.
    try:
        meta = json.loads(metadata.get('meta', 'null'))
    except json.JSONDecodeError:
        meta = None
    return dict(state_dict=state, meta=meta if isinstance(meta, dict) else metadata)
