"""Weights out of TorchScript archives, of which no code is run.

An archive is a zip with a pickle of the module tree, ``data.pkl``, and the bytes of its tensors, ``data/0`` and so on.
Here the pickle can make three things: modules, which are names with values; tensors as descriptions of bytes in the
archive; and lists. None of them can be changed by the pickle once it is made.
"""

import io
import pickle
import pickletools
import sys
import zipfile
from pathlib import Path
from typing import Any, Callable, Dict, List, Tuple

import torch
from torch import Tensor

from .file_kinds import unreadable

_DTYPES = {
    'DoubleStorage': torch.float64,
    'FloatStorage': torch.float32,
    'HalfStorage': torch.float16,
    'BFloat16Storage': torch.bfloat16,
    'LongStorage': torch.int64,
    'IntStorage': torch.int32,
    'ShortStorage': torch.int16,
    'CharStorage': torch.int8,
    'ByteStorage': torch.uint8,
    'BoolStorage': torch.bool,
}


def read_torchscript(local: Path, name: str) -> Dict[str, Tensor]:
    """Read the parameters and buffers of a TorchScript archive (``torch.jit.save``).

    Args:
        local (Path): The file.
        name (str): What to call it in messages.

    Returns:
        dict[str, Tensor]: Each parameter and buffer by its place in the module tree, as the module's ``state_dict``.

    Raises:
        UnreadableCheckpointError: If its pickle asks for anything but modules and tensors, or tensors are larger than
            their bytes in the archive.
    """
    with zipfile.ZipFile(local) as archive:
        try:
            return _tensors(_Unpickler(archive).load())
        except Exception as error:
            # A wrong pickle can fail in any way: with missing entries of its stack, wrong types, wrong text.
            reason = f'it is a TorchScript archive that is damaged or holds more than modules and tensors ({error!r})'
            raise unreadable(name, reason) from error


class _Fixed:
    """What stands on the pickle's stack, closed against its BUILD instruction, which would set attributes."""
    __slots__ = ()

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError(f'it sets attributes of a {type(self).__name__}')


class _Module(_Fixed):
    """A module: its attributes by name, set once."""
    __slots__ = ('attributes', )

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, dict) or hasattr(self, 'attributes'):
            raise pickle.UnpicklingError('it sets the attributes of a module twice, or not by name')
        self.attributes = dict(state)


class _Function(_Fixed):
    """A function that the pickle may call."""
    __slots__ = ('function', )

    def __init__(self, function: Callable) -> None:
        self.function = function

    def __call__(self, *arguments: Any) -> Any:
        return self.function(*arguments)


class _StorageType(_Fixed):
    """The name of a type of numbers."""
    __slots__ = ('dtype', )

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype


class _Storage(_Fixed):
    """Numbers in a row."""
    __slots__ = ('numbers', )

    def __init__(self, numbers: Tensor) -> None:
        self.numbers = numbers


class _View(_Fixed):
    """A tensor of numbers of a storage."""
    __slots__ = ('tensor', )

    def __init__(self, storage: Any, offset: int, size: Tuple[int, ...], stride: Tuple[int, ...], *_: Any) -> None:
        whole = (offset, *size, *stride)
        if not isinstance(storage, _Storage) or len(size) != len(stride) or not all(
                type(number) is int and number >= 0 for number in whole):
            raise pickle.UnpicklingError('it describes a tensor by other things than numbers and a storage')
        count, last = 1, offset
        for length, step in zip(size, stride):
            count *= length
            last += (length - 1) * step
        held = storage.numbers.numel()
        if count > held or (count and last >= held):
            raise pickle.UnpicklingError(f'it describes a tensor of {tuple(size)} in a storage of {held} numbers')
        self.tensor = storage.numbers.as_strided(size, stride, offset)


def _as_is(values: list) -> list:
    return values


class _Unpickler(pickle.Unpickler):
    """Reads ``data.pkl`` of an archive."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._records = {name.partition('/')[2]: name for name in archive.namelist()}
        self._storages: Dict[Tuple[str, torch.dtype], _Storage] = {}
        order = archive.open(self._records['byteorder']).read(16).decode() if 'byteorder' in self._records else 'little'
        if order != sys.byteorder:
            raise pickle.UnpicklingError(f'its numbers are written {order}-endian')
        pickled = archive.read(self._stored('data.pkl'))
        _check_memo(pickled)
        super().__init__(io.BytesIO(pickled))

    def _stored(self, record: str) -> zipfile.ZipInfo:
        information = self._archive.getinfo(self._records[record])
        if information.compress_type != zipfile.ZIP_STORED:
            # torch does not compress them. What is not compressed cannot be larger than the file.
            raise pickle.UnpicklingError(f'{record} is compressed')
        return information

    def find_class(self, module: str, name: str) -> Any:
        if module == '__torch__' or module.startswith('__torch__.'):
            return type(name, (_Module, ), dict(__slots__=()))
        if module == 'torch' and name in _DTYPES:
            return _StorageType(_DTYPES[name])
        if (module, name) == ('torch._utils', '_rebuild_tensor_v2'):
            return _Function(_View)
        if (module, name) == ('collections', 'OrderedDict'):
            return _Function(dict)
        if module == 'torch.jit._pickle' and name in ('build_intlist', 'build_doublelist', 'build_boollist'):
            return _Function(_as_is)
        raise pickle.UnpicklingError(f'it asks for {module}.{name}')

    def persistent_load(self, identifier: Any) -> _Storage:
        kind, storage_type, key, _, count = identifier
        if kind != 'storage' or not isinstance(storage_type, _StorageType) or type(key) is not str or type(
                count) is not int:
            raise pickle.UnpicklingError('it refers to something else than a storage')
        dtype, record = storage_type.dtype, self._stored(f'data/{key}')
        if record.file_size != count * dtype.itemsize:
            raise pickle.UnpicklingError(
                f'data/{key} is said to hold {count} numbers of {dtype}, but has {record.file_size} bytes')
        if (key, dtype) not in self._storages:
            # frombuffer takes no empty buffer.
            numbers = torch.frombuffer(
                bytearray(self._archive.read(record)), dtype=dtype) if count else torch.empty(0, dtype=dtype)
            self._storages[key, dtype] = _Storage(numbers)
        return self._storages[key, dtype]


def _check_memo(pickled: bytes) -> None:
    # Python's reader makes room for the highest number that a pickle gives an object: up to many gigabytes.
    for opcode, number, _ in pickletools.genops(pickled):
        if opcode.name in ('PUT', 'BINPUT', 'LONG_BINPUT') and number > len(pickled):
            raise pickle.UnpicklingError(f'it numbers an object {number} among fewer than {len(pickled)}')


def _tensors(root: Any) -> Dict[str, Tensor]:
    if not isinstance(root, _Module):
        raise pickle.UnpicklingError(f'it holds a {type(root).__name__}')
    found: Dict[str, Tensor] = {}
    waiting: List[Tuple[str, _Module]] = [('', root)]
    # A module that contains itself would never end.
    seen = {id(root)}
    while waiting:
        prefix, module = waiting.pop()
        for name, value in module.attributes.items():
            if isinstance(value, _View):
                found[prefix + name] = value.tensor
            elif isinstance(value, _Module) and id(value) not in seen:
                seen.add(id(value))
                waiting.append((prefix + name + '.', value))
    return found
