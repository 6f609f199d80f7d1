from .cpus import free_cpus, usable_cpus
from .files import write_atomically
from .stack import check_stack

__all__ = ['check_stack', 'free_cpus', 'usable_cpus', 'write_atomically']
