"""Reading files of weights, our own and others'."""

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ContextManager, Dict, Mapping, Optional, Tuple, Union

import torch
from mmengine import fileio
from torch import Tensor

from mmris.zoo import suggest

from .casting import as_dtype
from .kinds import FileKind, UnreadableCheckpointError, identify
from .safetensors_file import read_safetensors
from .shards import WEIGHTS_NAMES, check_no_shard, find_weights_in, read_index
from .tensors_only import read_tensors_only
from .torch_save import MapLocation, read_torch_save
from .torchscript import read_torchscript
from .unwrapping import find_container, join_entries


@dataclass(frozen=True)
class _Options:
    """How a file is read: see :func:`read_checkpoint`."""
    map_location: MapLocation
    trust: bool
    trust_option: Optional[str]
    dtype: Optional[torch.dtype]
    joined: Mapping[str, str]


def read_checkpoint(path: Union[str, Path],
                    map_location: MapLocation = 'cpu',
                    trust: bool = False,
                    trust_option: Optional[str] = None,
                    dtype: Optional[torch.dtype] = None,
                    joined: Optional[Mapping[str, str]] = None) -> dict:
    """Read weights as tensors and plain values alone: no code of the file is run.

    What format the file has shows from its content, not from its name: those of ``torch.save``, safetensors, or a
    TorchScript archive, of which parameters and buffers are read. Of weights in several files, give the index
    (``model.safetensors.index.json``), or the folder.

    Args:
        path (str or Path): A file, an address that MMEngine's file backends read (``https://...``), or a folder as the
            Hugging Face hub gives it.
        map_location (str, device or callable): Where tensors of ``torch.save`` are read to; those of other formats
            are read to the processor's memory first. Defaults to ``'cpu'``.
        trust (bool): Read what ``torch.save`` wrote without restriction, which runs the code that the file asks for.
            Defaults to False.
        trust_option (str, optional): What users set for ``trust``, for the message of a refusal. Defaults to None:
            they cannot.
        dtype (torch.dtype, optional): Read the weights to the processor's memory, tensor by tensor, and cast large
            ones to this type at once: memory holds the cast weights and one tensor more. Whatever else a file of
            ``torch.save`` holds beside its weights is then there without values. Default: None, all as it is.
        joined (Mapping[str, str], optional): See :func:`~mmris.checkpoints.files.unwrapping.join_entries`. Default:
            None, no entries.

    Returns:
        dict: Its content; of a safetensors file, an archive or several files ``state_dict`` and ``meta``.

    Raises:
        FileNotFoundError: If there is no such file, or nothing that reads addresses of its kind, or one of several
            files is missing.
        UnreadableCheckpointError: If the file is no checkpoint, or a truncated or damaged one, or holds more than
            tensors and training state, or weights without names, or two of one name, or is one of several files.
    """
    options = _Options(map_location, trust, trust_option, dtype, joined or {})
    with _local_file(str(path)) as name:
        local, kind = _identify(Path(name), path)
        return _read(local, kind, str(local if Path(name).is_dir() else path), options)


def read_tensors(path: Union[str, Path],
                 trust: bool = False,
                 trust_option: Optional[str] = None,
                 dtype: Optional[torch.dtype] = None,
                 joined: Optional[Mapping[str, str]] = None) -> dict:
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
        dtype (torch.dtype, optional): As :func:`read_checkpoint`.
        joined (Mapping[str, str], optional): As :func:`read_checkpoint`.

    Returns:
        dict: ``state_dict`` and ``meta`` of an archive, in which what is no tensor and no plain value is there as
        something else; of other formats as :func:`read_checkpoint`.

    Raises:
        FileNotFoundError: If there is no such file.
        UnreadableCheckpointError: If the file is no checkpoint, or a truncated or damaged one, or holds two weights of
            one name, or is in the old format and holds more than tensors and training state.
    """
    options = _Options('cpu', trust, trust_option, dtype, joined or {})
    with _local_file(str(path)) as name:
        local, kind = _identify(Path(name), path)
        if kind is FileKind.TORCH:
            return read_tensors_only(local, str(path), dtype, options.joined)
        return _read(local, kind, str(path), options)


def _identify(local: Path, path: Union[str, Path]) -> Tuple[Path, FileKind]:
    """The file that is read, and what it is."""
    if local.is_dir():
        found = find_weights_in(local)
        if found is None:
            raise FileNotFoundError(f'{path} is a folder without weights: none of {", ".join(WEIGHTS_NAMES)} is there. '
                                    f'Give the file itself.')
        return found, identify(found, str(found))
    if not local.is_file():
        raise FileNotFoundError(f'There is no checkpoint {path}.{suggest(path)}')
    check_no_shard(str(path))
    return local, identify(local, str(path))


def _read(local: Path, kind: FileKind, path: str, options: _Options) -> dict:
    dtype = options.dtype
    if kind is FileKind.SAFETENSORS:
        state, meta = read_safetensors(local, path, dtype)
        return dict(state_dict={key: _move(tensor, options.map_location) for key, tensor in state.items()}, meta=meta)
    if kind is FileKind.TORCHSCRIPT:
        state = read_torchscript(local, path)
        return dict(
            state_dict={key: _move(as_dtype(state[key], dtype), options.map_location) for key in state}, meta={})
    if kind is FileKind.INDEX:
        return _read_shards(local, path, options)
    if dtype is not None and kind is FileKind.TORCH and not options.trust:
        return _read_by_tensor(local, path, options)
    checkpoint = read_torch_save(local, options.map_location, options.trust, options.trust_option, path)
    _check_names(checkpoint, path)
    join_entries(checkpoint, options.joined, path)
    if dtype is not None:
        container = find_container(checkpoint)
        container.update({key: as_dtype(value, dtype) for key, value in container.items() if isinstance(value, Tensor)})
    return checkpoint


def _read_by_tensor(local: Path, path: str, options: _Options) -> dict:
    """What ``torch.save`` wrote: all of it without values first, then the values of the weights."""
    checkpoint = read_torch_save(local, 'meta', False, None, path)
    _check_names(checkpoint, path)
    join_entries(checkpoint, options.joined, path)
    container = find_container(checkpoint)
    weights = read_tensors_only(local, path, options.dtype, options.joined)['state_dict']
    container.update({key: weights[key] for key, value in container.items() if isinstance(value, Tensor)})
    return checkpoint


def _check_names(checkpoint: Any, path: str) -> None:
    """Check that weights have names."""
    if not isinstance(checkpoint, dict):
        raise UnreadableCheckpointError(
            f'{path} holds a {type(checkpoint).__name__}, but a checkpoint is a dict with `state_dict`.')
    state = checkpoint.get('state_dict', checkpoint)
    odd = [key for key in state if not isinstance(key, str)] if isinstance(state, dict) else [type(state).__name__]
    if odd:
        where = '' if state is checkpoint else ' under `state_dict`'
        raise UnreadableCheckpointError(
            f'{path} has no weights{where}: they are a dict of tensors by name, but there is {odd[0]!r}.')


def _read_shards(local: Path, path: str, options: _Options) -> dict:
    """The weights of all files that an index names."""
    state: Dict[str, Tensor] = {}
    for shard in read_index(local, path):
        content = _read(shard, identify(shard, str(shard)), str(shard), options)
        part = content.get('state_dict', content)
        twice = [key for key in part if key in state]
        if twice:
            raise UnreadableCheckpointError(f'{path} is an index of files that have the same weights: {shard} has '
                                            f'{twice[0]}, as one before it.')
        state.update(part)
    return dict(state_dict=state, meta={})


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


def _move(tensor: Tensor, map_location: MapLocation) -> Tensor:
    return tensor if callable(map_location) else tensor.to(map_location)
