from .base import Encoder
from .clip import CLIPEncoder
from .clip_backbone import CLIPBackbone
from .towers import ImageTower, SwinTower

__all__ = ['CLIPBackbone', 'CLIPEncoder', 'Encoder', 'ImageTower', 'SwinTower']
