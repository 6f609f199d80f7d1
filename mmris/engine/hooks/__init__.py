from .curves_hook import CurvesHook
from .leave_out_frozen_hook import LeaveOutFrozenHook
from .non_finite_loss_hook import NonFiniteLossError, NonFiniteLossHook
from .prediction_sheet_hook import PredictionSheetHook
from .restart_hook import RestartHook

__all__ = [
    'CurvesHook', 'LeaveOutFrozenHook', 'NonFiniteLossError', 'NonFiniteLossHook', 'PredictionSheetHook', 'RestartHook'
]
