from .base import Encoder, ImagePart
from .beit3 import BEiT3Encoder
from .clip import CLIPEncoder
from .clip_backbone import CLIPBackbone
from .detris import DETRISEncoder
from .evf_sam import EVFSAMEncoder
from .lavt import LAVTEncoder
from .risclip import RISCLIPEncoder
from .towers import BERTTextTower, DINOv2Tower, ImageTower, PaddedSwin, SAM2Tower, SAMTower, TimmTower
from .trimodal import TrimodalEncoder

__all__ = [
    'BERTTextTower', 'BEiT3Encoder', 'CLIPBackbone', 'CLIPEncoder', 'DETRISEncoder', 'DINOv2Tower', 'EVFSAMEncoder',
    'Encoder', 'ImagePart', 'ImageTower', 'LAVTEncoder', 'PaddedSwin', 'RISCLIPEncoder', 'SAM2Tower', 'SAMTower',
    'TimmTower', 'TrimodalEncoder'
]
