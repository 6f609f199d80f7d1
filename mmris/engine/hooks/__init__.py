from .checkpoint_hook import CheckpointHook
from .curves_hook import CurvesHook
from .exclude_frozen_hook import ExcludeFrozenHook
from .feature_cache_hook import FeatureCacheHook
from .iter_timer_hook import IterTimerHook
from .non_finite_loss_hook import NonFiniteLossError, NonFiniteLossHook
from .prediction_sheet_hook import PredictionSheetHook
from .preemption_hook import PreemptionError, PreemptionHook
from .restart_hook import RestartHook
from .watchdog_hook import WatchdogHook

__all__ = [
    'CheckpointHook', 'CurvesHook', 'ExcludeFrozenHook', 'FeatureCacheHook', 'IterTimerHook', 'NonFiniteLossError',
    'NonFiniteLossHook', 'PredictionSheetHook', 'PreemptionError', 'PreemptionHook', 'RestartHook',
    'WatchdogHook'
]
