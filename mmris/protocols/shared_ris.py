"""Shared-RIS, as its paper describes: the threshold first, then masks are resized.

The paper resizes masks to the input, which it defines as 480 x 480, and names no kernel. To the original pixels, by the
nearest, is our reading, since masks are scored there. It does not say what an empty prediction of nothing counts.
"""

from .geometry import stretch_affine
from .protocol import Geometry, Protocol
from .resampling import SHARED_RIS_THRESHOLD, THRESHOLD_FIRST

SHARED_RIS = Protocol(
    'shared_ris', THRESHOLD_FIRST, geometry=Geometry('Resize', stretch_affine), threshold=SHARED_RIS_THRESHOLD)
