"""Tools of the whole package. Its modules are imported when something of them is first asked for."""

from importlib import import_module
from typing import Any

_MODULES = dict(
    empty_parameters='empty',
    find_config='resources',
    free_cpus='cpus',
    is_part='modules',
    register_all_modules='modules',
    seed_all='seeding',
    type_name='modules',
    unwrap_model='modules',
    usable_cpus='cpus',
    write_atomically='files')

__all__ = list(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    value = getattr(import_module(f'.{_MODULES[name]}', __name__), name)
    globals()[name] = value
    return value
