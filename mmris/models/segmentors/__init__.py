from .postprocess import to_original_pixels
from .referring_segmentor import ReferringSegmentor

__all__ = ['ReferringSegmentor', 'to_original_pixels']
