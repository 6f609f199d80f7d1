from .convolution_head import ConvolutionHead
from .cosine_head import CosineHead
from .dynamic_convolution_head import DynamicConvolutionHead
from .existence_head import ExistenceHead
from .sam2_mask_head import SAM2MaskHead
from .sam_mask_head import SAMMaskHead
from .similarity_head import SimilarityHead

__all__ = [
    'ConvolutionHead', 'CosineHead', 'DynamicConvolutionHead', 'ExistenceHead', 'SAM2MaskHead', 'SAMMaskHead',
    'SimilarityHead'
]
