"""What a ``type`` of a config takes."""

import inspect
from difflib import get_close_matches
from typing import Any, Callable, List, Mapping, Optional, Set, Tuple

from mmengine import registry as root
from mmengine.registry import Registry
from torch.nn import Module

from mmris import registry as ours


def check_parameters(part: Mapping[str, Any], where: str) -> None:
    """Check that the type of a part of a config takes all that stands beside it.

    Args:
        part (Mapping): With ``type``.
        where (str): Its place in the config, for the message.

    Raises:
        ValueError: If it does not take one; the message has the nearest that it takes.
    """
    accepted = parameters_of_type(part['type'])
    for name in part:
        if accepted is not None and name not in accepted and name != 'type':
            nearest = get_close_matches(name, sorted(accepted), n=1, cutoff=0.5)
            advice = f'Did you mean {nearest[0]}?' if nearest else f'It has {", ".join(sorted(accepted)) or "none"}.'
            raise ValueError(f'{where}: {show_type(part["type"])} has no {name}. {advice}')


def parameters_of_type(kind: Any) -> Optional[Set[str]]:
    """Find what a ``type`` of a config takes.

    Args:
        kind (str, type or Callable): The type, or its name in the registries.

    Returns:
        set[str], optional: The names of its parameters, of all types of that name. None if that cannot be known.
    """
    readers = [kind] if callable(kind) else [one for registry in _registries() if (one := registry.get(kind))]
    found: Set[str] = set()
    for reader in readers:
        parameters = parameters_of(reader)
        if parameters is None:
            return None
        found |= parameters
    return found if readers else None


def parameters_of(reader: Callable) -> Optional[Set[str]]:
    """Find the names of what a class or function takes.

    Args:
        reader (Callable): The class or function.

    Returns:
        set[str], optional: The names. None if it takes any.
    """
    if not inspect.isclass(reader):
        names, takes_any = _names(reader)
        return None if takes_any else names
    found: Set[str] = set()
    for kind in reader.__mro__:
        # These two only say that they take nothing.
        if '__init__' in vars(kind) and kind not in (object, Module):
            names, takes_any = _names(kind.__init__)
            found |= names
            if not takes_any:
                return found - {'self'}
            # What it takes in addition goes on: to what it makes of it, or to the class that it is derived from.
            if hasattr(kind, 'passes_on_to'):
                return found | (parameters_of_type(kind.passes_on_to) or set()) - {'self'}
    return found - {'self'}


def show_type(kind: Any) -> str:
    """The name of a type."""
    return kind if isinstance(kind, str) else kind.__name__


def _registries() -> List[Registry]:
    """Ours, which ask MMEngine's for what they lack, and those of which we have none."""
    own = [one for one in vars(ours).values() if isinstance(one, Registry)]
    parents = {id(one.parent) for one in own}
    others = [one for one in vars(root).values() if isinstance(one, Registry) and id(one) not in parents]
    return [*own, *others]


def _names(function: Callable) -> Tuple[Set[str], bool]:
    """The names of what a function takes, and whether it takes others."""
    parameters = inspect.signature(function).parameters.values()
    names = {one.name for one in parameters if one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)}
    return names, any(one.kind is one.VAR_KEYWORD for one in parameters)
