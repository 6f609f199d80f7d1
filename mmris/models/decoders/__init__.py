from .cris_decoder import CRISDecoder
from .lavt_decoder import LAVTDecoder
from .shared_mask_decoder import SharedMaskDecoder

__all__ = ['CRISDecoder', 'LAVTDecoder', 'SharedMaskDecoder']
