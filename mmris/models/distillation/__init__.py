from .correlation_filter import CorrelationFilter
from .masked_distillation import MaskedDistillation
from .masked_language import MaskedLanguageDistillation
from .masked_visual import MaskedVisualDistillation

__all__ = ['CorrelationFilter', 'MaskedDistillation', 'MaskedLanguageDistillation', 'MaskedVisualDistillation']
