from .cpus import free_cpus, usable_cpus
from .empty import empty_parameters
from .files import write_atomically
from .modules import is_part, register_all_modules, type_name, unwrap_model
from .resources import find_config
from .seeding import seed_all

__all__ = [
    'empty_parameters', 'find_config', 'free_cpus', 'is_part', 'register_all_modules', 'seed_all', 'type_name',
    'unwrap_model', 'usable_cpus', 'write_atomically'
]
