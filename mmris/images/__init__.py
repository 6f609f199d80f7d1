"""Images as people have them, turned upright, and placed into a model's input. Nothing here needs torch or mmcv."""

from .decoding import decode_image, to_rgb
from .given import GivenImage
from .reading import AnyImage, check_instance_masks, find_image, read_image

__all__ = ['AnyImage', 'GivenImage', 'check_instance_masks', 'decode_image', 'find_image', 'read_image', 'to_rgb']
