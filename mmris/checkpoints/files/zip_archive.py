"""Tensors out of the zip archives that torch writes, of which no code is run.

An archive is a zip with a pickle, ``data.pkl``, and the bytes of its tensors, ``data/0`` and so on. Here the pickle
makes tensors as descriptions of bytes in the archive, and what the kind of archive adds. None of them can be changed by
the pickle once it is made, and no bytes are read before a tensor is taken.
"""

import io
import pickle
import sys
import zipfile
from typing import Any, Callable, Dict, Tuple

import torch
from torch import Tensor

from mmris.utils.pickle_instructions import check_pickle

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


class Sealed:
    """What stands on the pickle's stack, sealed against its BUILD instruction, which would set attributes."""
    __slots__ = ()

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError(f'it sets attributes of a {type(self).__name__}')


class Function(Sealed):
    """A function that the pickle may call."""
    __slots__ = ('function', )

    def __init__(self, function: Callable) -> None:
        self.function = function

    def __call__(self, *arguments: Any) -> Any:
        return self.function(*arguments)


class StorageType(Sealed):
    """The name of a type of numbers."""
    __slots__ = ('dtype', )

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype


class Storage(Sealed):
    """Numbers in a row, which lie in the archive until they are asked for."""
    __slots__ = ('count', '_read', '_numbers')

    def __init__(self, count: int, read: Callable[[], Tensor]) -> None:
        self.count = count
        self._read = read
        self._numbers = None

    @property
    def numbers(self) -> Tensor:
        """Tensor: The numbers; the same for all tensors that share them."""
        if self._numbers is None:
            self._numbers = self._read()
        return self._numbers

    def forget(self) -> None:
        """Give up the numbers, which are read again if they are asked for."""
        self._numbers = None


class View(Sealed):
    """A tensor of numbers of a storage."""
    __slots__ = ('storage', 'offset', 'size', 'stride')

    def __init__(self, storage: Any, offset: int, size: Tuple[int, ...], stride: Tuple[int, ...], *_: Any) -> None:
        whole = (offset, *size, *stride)
        if not isinstance(storage, Storage) or len(size) != len(stride) or not all(
                type(number) is int and number >= 0 for number in whole):
            raise pickle.UnpicklingError('it describes a tensor by other things than numbers and a storage')
        count, last = 1, offset
        for length, step in zip(size, stride):
            count *= length
            last += (length - 1) * step
        if count > storage.count or (count and last >= storage.count):
            raise pickle.UnpicklingError(
                f'it describes a tensor of {tuple(size)} in a storage of {storage.count} numbers')
        self.storage, self.offset, self.size, self.stride = storage, offset, tuple(size), tuple(stride)

    @property
    def tensor(self) -> Tensor:
        """Tensor: What is described, as long as the archive is open."""
        return self.storage.numbers.as_strided(self.size, self.stride, self.offset)


class ArchiveUnpickler(pickle.Unpickler):
    """Reads ``data.pkl`` of an archive.

    Args:
        archive (zipfile.ZipFile): The archive, which stays open as long as tensors are taken from what is read.

    Raises:
        UnpicklingError: If the archive is written otherwise than torch does.
    """

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._records = {name.partition('/')[2]: name for name in archive.namelist()}
        self._storages: Dict[Tuple[str, torch.dtype], Storage] = {}
        order = archive.open(self._records['byteorder']).read(16).decode() if 'byteorder' in self._records else 'little'
        if order != sys.byteorder:
            raise pickle.UnpicklingError(f'its numbers are written {order}-endian')
        pickled = archive.read(self._stored('data.pkl'))
        check_pickle(pickled)
        super().__init__(io.BytesIO(pickled))

    def _stored(self, record: str) -> zipfile.ZipInfo:
        information = self._archive.getinfo(self._records[record])
        if information.compress_type != zipfile.ZIP_STORED:
            # torch does not compress them. What is not compressed cannot be larger than the file.
            raise pickle.UnpicklingError(f'{record} is compressed')
        return information

    def find_class(self, module: str, name: str) -> Any:
        if module == 'torch' and name in _DTYPES:
            return StorageType(_DTYPES[name])
        if (module, name) == ('torch._utils', '_rebuild_tensor_v2'):
            return Function(self.make_tensor)
        return self.find_other(module, name)

    def find_other(self, module: str, name: str) -> Any:
        """What stands for a global that is not of tensors.

        Raises:
            UnpicklingError: If nothing does.
        """
        raise pickle.UnpicklingError(f'it asks for {module}.{name}')

    def make_tensor(self, *description: Any) -> Any:
        """What a description of a tensor gives."""
        return View(*description)

    def persistent_load(self, identifier: Any) -> Any:
        kind, storage_type, key, _, count = identifier
        if kind != 'storage' or not isinstance(storage_type, StorageType) or type(key) is not str or type(
                count) is not int:
            raise pickle.UnpicklingError('it refers to something else than a storage')
        dtype, record = storage_type.dtype, self._stored(f'data/{key}')
        if record.file_size != count * dtype.itemsize:
            raise pickle.UnpicklingError(
                f'data/{key} is said to hold {count} numbers of {dtype}, but has {record.file_size} bytes')
        if (key, dtype) not in self._storages:
            self._storages[key, dtype] = Storage(count, lambda: self._read(record, dtype))
        return self._storages[key, dtype]

    def _read(self, record: zipfile.ZipInfo, dtype: torch.dtype) -> Tensor:
        # frombuffer takes no empty buffer.
        numbers = bytearray(self._archive.read(record))
        return torch.frombuffer(numbers, dtype=dtype) if numbers else torch.empty(0, dtype=dtype)
