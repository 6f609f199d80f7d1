"""Reading the project's own checkpoints."""

import pickle
import zipfile
from contextlib import nullcontext
from pathlib import Path
from typing import Callable, ContextManager, Union

import numpy as np
import torch
from mmengine import fileio
from mmengine.logging import HistoryBuffer, print_log
from torch import nn


def _history_buffer_method(owner: type, name: str) -> Callable:
    if owner is not HistoryBuffer or name not in ('min', 'max', 'current', 'mean'):
        raise pickle.UnpicklingError(f'it asks for {name} of {owner}')
    return getattr(HistoryBuffer, name)


def _trusted_types() -> list:
    # What MMEngine's message hub and scalars add to the tensors of a checkpoint. Its history buffers pickle their own
    # methods as `getattr(HistoryBuffer, name)`: that name stands here for a getattr that reads nothing else.
    scalar = np.float64(0).__reduce__()[0]
    array = np.zeros(1).__reduce__()[0]
    dtypes = [type(np.dtype(kind)) for kind in ('float64', 'float32', 'int64', 'int32', 'bool', 'uint8')]
    return [
        HistoryBuffer, (_history_buffer_method, 'getattr'), (_history_buffer_method, 'builtins.getattr'), scalar, array,
        np.ndarray, np.dtype, *dtypes
    ]


def _reason(error: Exception) -> str:
    # torch explains at length how to load the file unsafely; what it refused stands behind its last heading.
    return str(error).split('WeightsUnpickler error:')[-1].strip().split('\n')[0].split('. Please use')[0]


class UnreadableCheckpointError(ValueError):
    """A checkpoint file that is torn, of another format, or holds more than tensors and training state."""


def read_checkpoint(path: Union[str, Path], map_location: Union[str, torch.device, Callable] = 'cpu') -> dict:
    """Read a checkpoint as tensors and plain values alone: no code of the file is run.

    Args:
        path (str or Path): A file, or an address that MMEngine's file backends read (``https://...``).
        map_location (str, device or callable): Where tensors are read to. Defaults to ``'cpu'``.

    Returns:
        dict: Its content.

    Raises:
        FileNotFoundError: If there is no such file.
        UnreadableCheckpointError: If the file is no checkpoint, or a truncated or damaged one, or holds more than
            tensors and training state.
    """
    with _local_file(str(path)) as local:
        if not Path(local).is_file():
            raise FileNotFoundError(f'There is no checkpoint {path}.')
        _check_sums(Path(local), path)
        try:
            with torch.serialization.safe_globals(_trusted_types()):
                checkpoint = torch.load(local, map_location=map_location, weights_only=True)
        except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
            raise UnreadableCheckpointError(
                f'{path} cannot be read as a checkpoint: it is truncated, of another format, or holds objects that are '
                f'not tensors ({_reason(error)}).') from error
    if not isinstance(checkpoint, dict):
        raise UnreadableCheckpointError(
            f'{path} holds a {type(checkpoint).__name__}, but a checkpoint is a dict with `state_dict`.')
    return checkpoint


def _check_sums(local: Path, path: Union[str, Path]) -> None:
    # torch does not look at the sums that it writes.
    if not zipfile.is_zipfile(local):
        return
    with zipfile.ZipFile(local) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise UnreadableCheckpointError(f'{path} is damaged: the sum of {damaged} in it is not the one written.')


def _local_file(path: str) -> ContextManager:
    return fileio.get_local_path(path) if '://' in path else nullcontext(path)


def load_model_weights(model: nn.Module, path: Union[str, Path], map_location: str = 'cpu') -> None:
    """Load a checkpoint that training wrote into a model, for inference.

    Keys of distillation branches that the model lacks are left out: inference does not need them.

    Args:
        model (nn.Module): The model.
        path (str or Path): The checkpoint file.
        map_location (str): Device to read to. Defaults to ``'cpu'``.

    Raises:
        FileNotFoundError: If there is no such file.
        UnreadableCheckpointError: As :func:`read_checkpoint`.
        RuntimeError: If keys are missing or left over; the message lists them.
    """
    checkpoint = read_checkpoint(path, map_location)
    state = checkpoint.get('state_dict', checkpoint)
    result = model.load_state_dict(state, strict=False)
    branches = [key for key in result.unexpected_keys if key.startswith('distillation.')]
    leftover = sorted(set(result.unexpected_keys) - set(branches))
    missing = [key for key in result.missing_keys if not key.startswith('distillation.')]
    if missing or leftover:
        raise RuntimeError(
            f'{path} does not fit the model of the config. Missing: {", ".join(missing) or "none"}. '
            f'Left over: {", ".join(leftover) or "none"}. Use the config that it was trained with.')
    if branches:
        print_log(f'{path}: left out {len(branches)} distillation tensors, not needed here.', logger='current')
