from .curves_hook import CurvesHook
from .non_finite_loss_hook import NonFiniteLossError, NonFiniteLossHook
from .prediction_sheet_hook import PredictionSheetHook
from .restart_hook import RestartHook

__all__ = ['CurvesHook', 'NonFiniteLossError', 'NonFiniteLossHook', 'PredictionSheetHook', 'RestartHook']
