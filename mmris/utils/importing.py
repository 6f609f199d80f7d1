"""Packages whose modules are imported when something of them is first asked for."""

import sys
from importlib import import_module
from typing import Any, Callable, Mapping


def import_when_asked(package: str, modules: Mapping[str, str]) -> Callable[[str], Any]:
    """Make the ``__getattr__`` of a package.

    Args:
        package (str): Its ``__name__``.
        modules (Mapping[str, str]): By the name of what the package has, the module in it that defines that.

    Returns:
        Callable: What Python calls for a name that the package does not have yet.
    """

    def find(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f'module {package!r} has no attribute {name!r}')
        value = getattr(import_module(f'.{modules[name]}', package), name)
        setattr(sys.modules[package], name, value)
        return value

    return find
