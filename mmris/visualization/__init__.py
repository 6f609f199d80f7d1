from .drawing import COLOURS, overlay_mask, overlay_masks, spotlight
from .prediction_sheet import ScoredPrediction, draw_prediction_sheet, mean_iou
from .sentence_sheet import draw_sentences
from .sheet import SHEET_SUFFIXES, Panel, draw_sheet, instances_panel
from .wandb_backend import LeanWandbVisBackend

__all__ = [
    'COLOURS', 'SHEET_SUFFIXES', 'LeanWandbVisBackend', 'Panel', 'ScoredPrediction', 'draw_prediction_sheet',
    'draw_sentences', 'draw_sheet', 'instances_panel', 'mean_iou', 'overlay_mask', 'overlay_masks', 'spotlight'
]
