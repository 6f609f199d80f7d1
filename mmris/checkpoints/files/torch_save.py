"""Files of ``torch.save``, by torch's restricted reader and a list of the types that MMEngine's checkpoints need."""

import mmap
import pickle
import secrets
import zipfile
from pathlib import Path
from typing import Any, Callable, Optional, Union

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

from mmris.utils.pickle_instructions import check_pickle

from .kinds import unreadable

MapLocation = Union[str, torch.device, Callable]
# Before the numbers of tensors, the old format has: what it is, its version, the machine, the content, and names.
_OLD_PICKLES = 5
# Numbers that a checkpoint may hold arrays of.
_CODES = ('f8', 'f4', 'i8', 'i4', 'b1', 'u1')


def read_torch_save(local: Path, map_location: MapLocation, trust: bool, trust_option: Optional[str],
                    path: str) -> Any:
    """Read what ``torch.save`` wrote: tensors, plain values, and what MMEngine's checkpoints add to them.

    Args:
        local (Path): The file.
        map_location (str, device or callable): Where its tensors are read to.
        trust (bool): Read it without restriction, which runs the code that the file asks for.
        trust_option (str, optional): What users set for ``trust``, for the message of a refusal. None: they cannot.
        path (str): What to call the file in messages.

    Returns:
        Any: Its content.

    Raises:
        UnreadableCheckpointError: If it is truncated or damaged, or holds more and ``trust`` is not set.
    """
    try:
        if not trust:
            _check_pickles(local)
        with torch.serialization.safe_globals(_allowed_types()):
            return torch.load(local, map_location=map_location, weights_only=not trust)
    except Exception as error:
        # A damaged pickle can fail in any way.
        reason = f'it is truncated, of another format, or holds objects that are not tensors ({_reason(error)})'
        if isinstance(error, pickle.UnpicklingError) and trust_option is not None and not trust:
            reason += f'. If you know where it comes from, {trust_option} reads it all the same, and runs what it says'
        raise unreadable(path, reason) from error


def _check_pickles(local: Path) -> None:
    """Check that to read the pickles of a file takes memory and time in proportion to its size."""
    with local.open('rb') as file:
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                for record in archive.namelist():
                    if record.endswith('/data.pkl'):
                        check_pickle(archive.read(record))
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            end = 0
            for _ in range(_OLD_PICKLES):
                end = check_pickle(content, end)


def _reason(error: Exception) -> str:
    # Around what the restricted reader refused, torch explains at length how to load the file unsafely.
    refusal = error.__context__ if isinstance(error.__context__, pickle.UnpicklingError) else error
    reason = str(refusal).strip().split('\n')[0].split('. Please use')[0]
    return reason or type(error).__name__


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


def _allowed_types() -> list:
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
