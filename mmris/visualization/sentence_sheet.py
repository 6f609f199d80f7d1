"""Sheets of an image with the mask of each sentence about it."""

from typing import Optional, Sequence

import numpy as np
from PIL import Image

from .drawing import COLOURS, overlay_masks, spotlight
from .sheet import Panel, draw_sheet, instances_panel


def draw_sentences(image: np.ndarray,
                   sentences: Sequence[str],
                   masks: np.ndarray,
                   notes: Sequence[str],
                   instance_masks: Optional[np.ndarray] = None) -> Image.Image:
    """Draw the mask of each sentence, and all masks in one picture if there are several.

    Args:
        image (ndarray): ``(H0, W0, 3)`` uint8 RGB.
        sentences (Sequence[str]): S sentences, at least one.
        masks (ndarray): ``(S, H0, W0)`` bool.
        notes (Sequence[str]): S lines of small text, below the sentences.
        instance_masks (ndarray, optional): ``(K, H0, W0)``, not 0 inside of an instance: drawn first. Default: None.

    Returns:
        Image: RGB.

    Raises:
        ValueError: If there is no sentence, or image and masks differ in size.
    """
    panels = [] if instance_masks is None else [instances_panel(image, instance_masks)]
    if len(masks) > 1:
        panels.append(Panel(caption='all sentences', pictures=[overlay_masks(image, masks)]))
    for place, (sentence, mask, note) in enumerate(zip(sentences, masks, notes)):
        colour = COLOURS[place % len(COLOURS)]
        panels.append(
            Panel(caption=sentence, note=note, colour=colour, pictures=[spotlight(image, mask, colour)]))
    return draw_sheet(panels, title='Predictions', columns=3, cell=400)
