from .formatting import PackReferringInputs
from .geometry import Letterbox, Resize
from .instance_masks import LoadInstanceMasks, MatchInstances
from .loading import LoadImage, LoadMasks
from .text import Tokenize

__all__ = [
    'Letterbox', 'LoadImage', 'LoadInstanceMasks', 'LoadMasks', 'MatchInstances', 'PackReferringInputs', 'Resize',
    'Tokenize'
]
