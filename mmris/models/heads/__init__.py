from .dynamic_convolution_head import DynamicConvolutionHead

__all__ = ['DynamicConvolutionHead']
