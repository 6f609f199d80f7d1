from .limits import Limits
from .models import Models
from .server import serve

__all__ = ['Limits', 'Models', 'serve']
