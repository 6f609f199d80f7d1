from .base import Encoder
from .beit3 import BEiT3Encoder
from .clip import CLIPEncoder
from .clip_backbone import CLIPBackbone
from .risclip import RISCLIPEncoder
from .towers import ImageTower, SwinTower
from .trimodal import TrimodalEncoder

__all__ = [
    'BEiT3Encoder', 'CLIPBackbone', 'CLIPEncoder', 'Encoder', 'ImageTower', 'RISCLIPEncoder', 'SwinTower',
    'TrimodalEncoder'
]
