from .base import Encoder
from .clip import CLIPEncoder
from .clip_backbone import CLIPBackbone

__all__ = ['CLIPBackbone', 'CLIPEncoder', 'Encoder']
