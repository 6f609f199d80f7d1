"""Pictures of masks, sheets and figures. What is here is imported when it is first asked for.

Drawing masks and sheets needs Pillow, OpenCV and NumPy alone.
"""

from mmris.utils.importing import import_when_asked

_MODULES = dict(
    COLOURS='drawing',
    SHEET_SUFFIXES='sheet',
    LeanWandbVisBackend='wandb_backend',
    Panel='sheet',
    ScoredPrediction='prediction_sheet',
    draw_prediction_sheet='prediction_sheet',
    draw_sentences='sentence_sheet',
    draw_sheet='sheet',
    instances_panel='sheet',
    mean_iou='prediction_sheet',
    overlay_mask='drawing',
    overlay_masks='drawing',
    spotlight='drawing')

__all__ = list(_MODULES)

__getattr__ = import_when_asked(__name__, _MODULES)
