from .correlation_filter import CorrelationFilter
from .masked_distillation import MaskedDistillation
from .masked_language import MaskedLanguageDistillation
from .masked_visual import MaskedVisualDistillation
from .target_share import measure_target_share, target_patches

__all__ = [
    'CorrelationFilter', 'MaskedDistillation', 'MaskedLanguageDistillation', 'MaskedVisualDistillation',
    'measure_target_share', 'target_patches'
]
