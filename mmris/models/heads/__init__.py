from .dynamic_convolution_head import DynamicConvolutionHead
from .similarity_head import SimilarityHead

__all__ = ['DynamicConvolutionHead', 'SimilarityHead']
