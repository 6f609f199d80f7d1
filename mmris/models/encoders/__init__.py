from .base import Encoder, ImagePart
from .beit3 import BEiT3Encoder
from .clip import CLIPEncoder
from .clip_backbone import CLIPBackbone
from .detris import DETRISEncoder
from .evf_sam import EVFSAMEncoder
from .risclip import RISCLIPEncoder
from .towers import DINOv2Tower, ImageTower, SAM2Tower, SAMTower, TimmTower
from .trimodal import TrimodalEncoder

__all__ = [
    'BEiT3Encoder', 'CLIPBackbone', 'CLIPEncoder', 'DETRISEncoder', 'DINOv2Tower', 'EVFSAMEncoder', 'Encoder',
    'ImagePart', 'ImageTower', 'RISCLIPEncoder', 'SAM2Tower', 'SAMTower', 'TimmTower', 'TrimodalEncoder'
]
