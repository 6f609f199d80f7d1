from .limits import Limits
from .models import Models, find_loaders
from .server import serve

__all__ = ['Limits', 'Models', 'find_loaders', 'serve']
