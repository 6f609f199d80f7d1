from .drawing import COLOURS, overlay_mask, overlay_masks, spotlight
from .prediction_sheet import Prediction, draw_prediction_sheet, mean_iou
from .sheet import SHEET_SUFFIXES, Panel, draw_sheet, instances_panel
from .wandb_backend import LeanWandbVisBackend

__all__ = [
    'COLOURS', 'SHEET_SUFFIXES', 'LeanWandbVisBackend', 'Panel', 'Prediction', 'draw_prediction_sheet', 'draw_sheet',
    'instances_panel', 'mean_iou', 'overlay_mask', 'overlay_masks', 'spotlight'
]
