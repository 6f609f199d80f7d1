from .data_preprocessor import ReferringDataPreprocessor
from .decoders import *  # noqa: F401,F403
from .distillation import *  # noqa: F401,F403
from .encoders import *  # noqa: F401,F403
from .heads import *  # noqa: F401,F403
from .losses import *  # noqa: F401,F403
from .masking import *  # noqa: F401,F403
from .necks import *  # noqa: F401,F403
from .segmentors import *  # noqa: F401,F403

__all__ = ['ReferringDataPreprocessor']
