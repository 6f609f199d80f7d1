"""Tools of the whole package. Its modules are imported when something of them is first asked for."""

from .importing import import_when_asked

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

__getattr__ = import_when_asked(__name__, _MODULES)
