from .compiling import compile_stages
from .referring_segmentor import ReferringSegmentor

__all__ = ['ReferringSegmentor', 'compile_stages']
