"""The tensors of a checkpoint of ``torch.save`` among whatever else it holds, of which no code is run.

Training frameworks save their callbacks, settings and optimisers beside the weights, as objects of packages that need
not be there. All of these become objects here that keep nothing and do nothing.
"""

import pickle
import zipfile
from pathlib import Path
from typing import Any, Mapping, Optional

import torch
from torch import Tensor

from .casting import as_dtype
from .kinds import UnreadableCheckpointError, unreadable
from .unwrapping import find_container, join_entries
from .zip_archive import ArchiveUnpickler, Function, Storage, StorageType, View


def read_tensors_only(local: Path,
                      name: str,
                      dtype: Optional[torch.dtype] = None,
                      joined: Optional[Mapping[str, str]] = None) -> dict:
    """Read the weights of a zip archive that ``torch.save`` wrote.

    Args:
        local (Path): The file.
        name (str): What to call it in messages.
        dtype (torch.dtype, optional): See :func:`~mmris.checkpoints.files.casting.as_dtype`. Default: None.
        joined (Mapping[str, str], optional): See :func:`~mmris.checkpoints.files.unwrapping.join_entries`. Default:
            None, no entries.

    Returns:
        dict: ``state_dict``, with each tensor by its key, and ``meta``, which is empty if the archive has none. What is
        no tensor and no plain value, is there as something else.

    Raises:
        UnreadableCheckpointError: If the archive is damaged, holds no dict, or a tensor is larger than its bytes in
            the archive, or two weights have one name.
    """
    with zipfile.ZipFile(local) as archive:
        try:
            root = _Unpickler(archive).load()
            if not isinstance(root, dict):
                raise pickle.UnpicklingError('it holds no dict')
            join_entries(root, joined or {}, name)
            state = {
                key: _take(value, dtype) if isinstance(value, View) else value
                for key, value in find_container(root).items()
            }
            meta = root.get('meta')
            return dict(state_dict=state, meta=dict(meta) if isinstance(meta, dict) else {})
        except UnreadableCheckpointError:
            raise
        except Exception as error:
            # A wrong pickle can fail in any way: with missing entries of its stack, wrong types, wrong text.
            raise unreadable(name, f'it is an archive of torch.save that is damaged ({error!r})') from error


def _take(view: View, dtype: Optional[torch.dtype]) -> Tensor:
    tensor = as_dtype(view.tensor, dtype)
    if dtype is not None:
        # Otherwise memory would hold what was read beside what was made of it.
        view.storage.forget()
    return tensor


class Placeholder:
    """Stands for any class and function that is not of tensors, and for what it makes: takes all, does nothing."""
    __slots__ = ()

    def __new__(cls, *_: Any, **__: Any) -> 'Placeholder':
        return super().__new__(cls)

    def __call__(self, *_: Any) -> 'Placeholder':
        return self

    def _ignore(self, *_: Any) -> None:
        """Ignore what a pickle puts into an object."""

    # By these a pickle's instructions fill objects: attributes, entries of dicts and of lists.
    __setstate__ = __setitem__ = extend = _ignore


class _State(dict):
    """A dict with attributes, as modules make their weights' one; the attributes are left out."""
    __slots__ = ()

    def __setstate__(self, state: Any) -> None:
        """Ignore attributes."""


class _Unpickler(ArchiveUnpickler):

    def find_other(self, module: str, name: str) -> Any:
        if (module, name) == ('collections', 'OrderedDict'):
            return Function(_make_state)
        if (module, name) == ('torch._utils', '_rebuild_parameter'):
            return Function(_unwrap_parameter)
        return Placeholder

    def make_tensor(self, storage: Any, *description: Any) -> Any:
        return View(storage, *description) if isinstance(storage, Storage) else Placeholder()

    def persistent_load(self, identifier: Any) -> Any:
        kinds = (identifier[0], type(identifier[1])) if isinstance(identifier, tuple) and len(identifier) > 1 else None
        # Types of numbers that no weights have, as complex ones.
        return super().persistent_load(identifier) if kinds == ('storage', StorageType) else Placeholder()


def _make_state(*pairs: Any) -> _State:
    # Pickles make it empty, then fill it: copies of copies could unfold into more than the file is large.
    if pairs:
        raise pickle.UnpicklingError('it makes a dict otherwise than pickle does')
    return _State()


def _unwrap_parameter(data: Any, *_: Any) -> Any:
    return data
