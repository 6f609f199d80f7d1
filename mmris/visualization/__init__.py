"""Pictures of masks, sheets and figures. What is here is imported when it is first asked for.

Drawing masks and sheets needs Pillow, OpenCV and NumPy alone.
"""

from importlib import import_module
from typing import Any

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


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    value = getattr(import_module(f'.{_MODULES[name]}', __name__), name)
    globals()[name] = value
    return value
