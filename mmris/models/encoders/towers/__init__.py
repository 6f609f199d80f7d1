from .clip_architecture import build_clip, build_image_tower, build_text_tower
from .clip_pretrained import load_clip
from .clip_resnet import CLIPResNet
from .clip_text import CLIPTextTower
from .clip_vit import CLIPVisionTransformer
from .image_tower import ImageTower
from .swin import SwinTower

__all__ = [
    'CLIPResNet', 'CLIPTextTower', 'CLIPVisionTransformer', 'ImageTower', 'SwinTower', 'build_clip',
    'build_image_tower', 'build_text_tower', 'load_clip'
]
