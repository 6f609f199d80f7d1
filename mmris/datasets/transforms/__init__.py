from .formatting import PackReferringInputs
from .geometry import AffineTransform, CRISWarp, Letterbox, Resize
from .instance_masks import LoadInstanceMasks, MatchInstances
from .loading import LoadImage, LoadMasks
from .pillow_geometry import LongestSideThenStretch, PillowResize, ResizeLongestSide
from .text import Tokenize

__all__ = [
    'AffineTransform', 'CRISWarp', 'Letterbox', 'LoadImage', 'LoadInstanceMasks', 'LoadMasks', 'LongestSideThenStretch',
    'MatchInstances', 'PackReferringInputs', 'PillowResize', 'Resize', 'ResizeLongestSide', 'Tokenize'
]
