from .files import write_atomically
from .stack import check_stack

__all__ = ['check_stack', 'write_atomically']
