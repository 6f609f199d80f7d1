"""Weights out of TorchScript archives, of which no code is run.

Their pickle is of the module tree. Here it can make, besides tensors, modules, which are names with values, and lists.
"""

import pickle
import zipfile
from pathlib import Path
from typing import Any, Dict, List, Tuple

from torch import Tensor

from .kinds import unreadable
from .zip_archive import ArchiveUnpickler, Function, Sealed, View


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


class _Module(Sealed):
    """A module: its attributes by name, set once."""
    __slots__ = ('attributes', )

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, dict) or hasattr(self, 'attributes'):
            raise pickle.UnpicklingError('it sets the attributes of a module twice, or not by name')
        self.attributes = dict(state)


def _as_is(values: list) -> list:
    return values


class _Unpickler(ArchiveUnpickler):

    def find_other(self, module: str, name: str) -> Any:
        if module == '__torch__' or module.startswith('__torch__.'):
            return type(name, (_Module, ), dict(__slots__=()))
        if (module, name) == ('collections', 'OrderedDict'):
            return Function(dict)
        if module == 'torch.jit._pickle' and name in ('build_intlist', 'build_doublelist', 'build_boollist'):
            return Function(_as_is)
        return super().find_other(module, name)


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
            if isinstance(value, View):
                found[prefix + name] = value.tensor
            elif isinstance(value, _Module) and id(value) not in seen:
                seen.add(id(value))
                waiting.append((prefix + name + '.', value))
    return found
