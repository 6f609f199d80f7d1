from .cris_decoder import CRISDecoder
from .lavt_decoder import LAVTDecoder
from .progressive_decoder import ProgressiveDecoder
from .shared_mask_decoder import SharedMaskDecoder

__all__ = ['CRISDecoder', 'LAVTDecoder', 'ProgressiveDecoder', 'SharedMaskDecoder']
