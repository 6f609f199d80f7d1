from .cris_decoder import CRISDecoder
from .shared_mask_decoder import SharedMaskDecoder

__all__ = ['CRISDecoder', 'SharedMaskDecoder']
