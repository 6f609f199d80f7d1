"""Reading files of weights, our own and others'."""

import json
import pickle
import secrets
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Callable, ContextManager, Optional, Union

import numpy as np
import safetensors
import torch
from mmengine import fileio
from mmengine.logging import HistoryBuffer

from .file_kinds import FileKind, UnreadableCheckpointError, identify, unreadable
from .tensors_alone import read_tensors_alone
from .torchscript import read_torchscript

MapLocation = Union[str, torch.device, Callable]
# Numbers that a checkpoint may hold arrays of.
_CODES = ('f8', 'f4', 'i8', 'i4', 'b1', 'u1')


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
            return read_tensors_alone(local, str(path))
        return _read(local, kind, 'cpu', trust, trust_option, str(path))


def _identify(local: Path, path: Union[str, Path]) -> FileKind:
    if not local.is_file():
        raise FileNotFoundError(f'There is no checkpoint {path}.')
    return identify(local, str(path))


def _read(local: Path, kind: FileKind, map_location: MapLocation, trust: bool, trust_option: Optional[str],
          path: str) -> dict:
    if kind is FileKind.SAFETENSORS:
        return _read_safetensors(local, map_location, path)
    if kind is FileKind.TORCHSCRIPT:
        state = read_torchscript(local, path)
        return dict(state_dict={key: _move(tensor, map_location) for key, tensor in state.items()}, meta={})
    checkpoint = _read_torch(local, map_location, trust, trust_option, path)
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


def _read_torch(local: Path, map_location: MapLocation, trust: bool, trust_option: Optional[str], path: str) -> Any:
    try:
        with torch.serialization.safe_globals(_trusted_types()):
            return torch.load(local, map_location=map_location, weights_only=not trust)
    except Exception as error:
        # A damaged pickle can fail in any way.
        reason = f'it is truncated, of another format, or holds objects that are not tensors ({_reason(error)})'
        if isinstance(error, pickle.UnpicklingError) and trust_option is not None and not trust:
            reason += f'. If you know where it comes from, {trust_option} reads it all the same, and runs what it says'
        raise unreadable(path, reason) from error


def _reason(error: Exception) -> str:
    # Around what the restricted reader refused, torch explains at length how to load the file unsafely.
    refusal = error.__context__ if isinstance(error.__context__, pickle.UnpicklingError) else error
    reason = str(refusal).strip().split('\n')[0].split('. Please use')[0]
    return reason or type(error).__name__


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


def _history_buffer_method(owner: type, name: str) -> Callable:
    if owner is not HistoryBuffer or name not in ('min', 'max', 'current', 'mean'):
        raise pickle.UnpicklingError(f'it asks for {name} of {owner}')
    return getattr(HistoryBuffer, name)


def _numpy_dtype(code: str, *_: Any) -> np.dtype:
    if code not in _CODES:
        raise pickle.UnpicklingError(f'it asks for an array of {code!r}')
    return np.dtype(code)


def _numpy_array(*arguments: Any) -> np.ndarray:
    # Pickles make an empty array, then set its state. An array over bytes of the file could be one of pointers.
    if arguments[1:] != ((0, ), b'b'):
        raise pickle.UnpicklingError('it makes an array otherwise than pickle does')
    return np.empty(0, dtype=np.int8)


def _trusted_types() -> list:
    # What MMEngine's message hub and scalars add to the tensors of a checkpoint. Its history buffers pickle their own
    # methods as `getattr(HistoryBuffer, name)`: that name stands here for a getattr that reads nothing else. So do
    # NumPy's names for functions that make numbers alone; its types themselves, whose state is set, have names that no
    # file can know.
    scalar = np.float64(0).__reduce__()[0]
    types = [np.ndarray, *(type(np.dtype(code)) for code in _CODES)]
    made = [(_numpy_dtype, 'numpy.dtype'), (_numpy_array, 'numpy.ndarray')]
    made += [(_numpy_array, f'numpy.{core}.multiarray._reconstruct') for core in ('core', '_core')]
    made += [(scalar, f'numpy.{core}.multiarray.scalar') for core in ('core', '_core')]
    return [
        HistoryBuffer, (_history_buffer_method, 'getattr'), (_history_buffer_method, 'builtins.getattr'), *made,
        *((kind, f'mmris.{secrets.token_hex(16)}') for kind in types)
    ]
