"""EVF-SAM, as its published code scores SAM 1's masks (Zhang et al., EVF-SAM, arXiv 2406.20076)."""

from .geometry import longest_side_affine
from .protocol import Geometry, Protocol
from .resampling import EVF_SAM_TWICE

EVF_SAM = Protocol(
    'evf_sam', EVF_SAM_TWICE, geometry=Geometry('ResizeLongestSide', longest_side_affine), threshold=0.5)
