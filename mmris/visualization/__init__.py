from .drawing import COLOURS, overlay_mask, overlay_masks, spotlight
from .sheet import Panel, draw_sheet

__all__ = ['COLOURS', 'Panel', 'draw_sheet', 'overlay_mask', 'overlay_masks', 'spotlight']
