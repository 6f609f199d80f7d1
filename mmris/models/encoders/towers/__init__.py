from .bert import BERTTextTower
from .clip_architecture import build_clip, build_image_tower, build_text_tower
from .clip_pretrained import load_clip
from .clip_resnet import CLIPResNet
from .clip_text import CLIPTextTower, at_end_token
from .clip_vit import CLIPVisionTransformer, patches_as_map
from .dinov2 import DINOv2Tower
from .image_tower import ImageTower, recompute, recompute_counted
from .padded_swin import PaddedSwin
from .sam import SAMTower
from .sam2 import SAM2Tower
from .timm_tower import TimmTower

__all__ = [
    'BERTTextTower', 'CLIPResNet', 'CLIPTextTower', 'CLIPVisionTransformer', 'DINOv2Tower', 'ImageTower', 'PaddedSwin',
    'SAM2Tower', 'SAMTower', 'TimmTower', 'at_end_token', 'build_clip', 'build_image_tower', 'build_text_tower',
    'load_clip', 'patches_as_map', 'recompute', 'recompute_counted'
]
