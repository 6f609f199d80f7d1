"""EVF-SAM, as its published codes score SAM 2's masks (Zhang et al., EVF-SAM, arXiv 2406.20076).

The code of the plain checkpoint and that of the multitask checkpoint differ in how an image becomes an input.
"""

from dataclasses import replace

from .geometry import stretch_affine
from .protocol import Geometry, Protocol
from .resampling import EVF_SAM_ONCE

EVF_SAM2 = Protocol(
    'evf_sam2', EVF_SAM_ONCE, geometry=Geometry('LongestSideThenStretch', stretch_affine), threshold=0.5)
EVF_SAM2_MULTITASK = replace(
    EVF_SAM2, name='evf_sam2_multitask', geometry=Geometry('PillowResize', stretch_affine))
