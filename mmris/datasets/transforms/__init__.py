from .formatting import PackReferringInputs
from .geometry import Letterbox, Resize
from .loading import LoadImage, LoadMasks
from .text import Tokenize

__all__ = ['Letterbox', 'LoadImage', 'LoadMasks', 'PackReferringInputs', 'Resize', 'Tokenize']
