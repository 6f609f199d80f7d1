from .correlation_filter import CorrelationFilter, RandomFilter
from .masked_distillation import MaskedDistillation
from .masked_language import MaskedLanguageDistillation
from .masked_visual import MaskedVisualDistillation
from .maskris import MaskRISDistillation
from .replay_distillation import ReplayDistillation
from .target_share import measure_hidden_share, measure_target_share, target_patches

__all__ = [
    'CorrelationFilter', 'MaskRISDistillation', 'MaskedDistillation', 'MaskedLanguageDistillation',
    'MaskedVisualDistillation', 'RandomFilter', 'ReplayDistillation', 'measure_hidden_share', 'measure_target_share',
    'target_patches'
]
