from .formatting import PackReferringInputs
from .geometry import (
    AffineTransform,
    CRISWarp,
    Letterbox,
    LongestSideThenStretch,
    PillowResize,
    Resize,
    ResizeLongestSide,
)
from .instance_masks import LoadInstanceMasks, MatchInstances
from .loading import LoadImage, LoadMasks
from .text import Tokenize

__all__ = [
    'AffineTransform', 'CRISWarp', 'Letterbox', 'LoadImage', 'LoadInstanceMasks', 'LoadMasks', 'LongestSideThenStretch',
    'MatchInstances', 'PackReferringInputs', 'PillowResize', 'Resize', 'ResizeLongestSide', 'Tokenize'
]
