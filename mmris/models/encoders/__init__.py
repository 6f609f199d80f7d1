from .base import Encoder
from .clip import CLIPEncoder

__all__ = ['CLIPEncoder', 'Encoder']
