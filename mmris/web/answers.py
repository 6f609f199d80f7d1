"""How an answer looks on the page."""

from html import escape
from pathlib import Path
from typing import Sequence
from urllib.parse import quote

import cv2
import numpy as np

from mmris.visualization import COLOURS, overlay_masks

from .sessions import Answer

# Of the longer side of a picture on the screen. Outlines of a smaller one would be coarse.
SHORTEST, LONGEST = 640, 1280


def to_screen(pixels: np.ndarray) -> np.ndarray:
    """Bring a picture to a size that a screen shows well.

    Args:
        pixels (ndarray): ``(H, W, 3)`` uint8.

    Returns:
        ndarray: The picture, of :data:`SHORTEST` to :data:`LONGEST` pixels on its longer side.
    """
    height, width = pixels.shape[:2]
    longer = max(height, width)
    scale = min(max(longer, SHORTEST), LONGEST) / longer
    if scale == 1:
        return pixels
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)


def draw_answer(answer: Answer) -> np.ndarray:
    """Draw all masks over the picture, each in its colour, at the size of a screen.

    Returns:
        ndarray: ``(H, W, 3)`` uint8 RGB.
    """
    picture = to_screen(answer.prediction.image)
    size = picture.shape[1], picture.shape[0]
    masks = [
        cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST).astype(bool)
        for mask in answer.prediction.masks
    ]
    return overlay_masks(picture, masks)


def describe_answer(answer: Answer) -> str:
    """Describe the answer to each sentence.

    Returns:
        str: HTML: a row for each sentence, of its mask's colour, the sentence, and what was found. All text of the
        visitor is escaped.
    """
    rows = []
    for place, (sentence, note, remark) in enumerate(
            zip(answer.prediction.sentences, answer.prediction.notes, answer.remarks)):
        colour = COLOURS[place % len(COLOURS)] if answer.prediction.exists[place] else None
        swatch = '' if colour is None else f' style="background: rgb{colour}"'
        remark = f'<span class="remark">{escape(remark)}</span>' if remark else ''
        rows.append(f'<li><span class="swatch"{swatch}></span><span class="words"><b>{escape(sentence)}</b>'
                    f'<span class="note">{escape(note)}</span>{remark}</span></li>')
    return f'<ul class="answers">{"".join(rows)}</ul>'


def describe_files(paths: Sequence[Path]) -> str:
    """Link files for download.

    Args:
        paths (Sequence[Path]): Files that are served.

    Returns:
        str: HTML: a link to each.
    """
    links = (f'<li><a href="gradio_api/file={escape(quote(str(path)))}" download="{escape(path.name)}">'
             f'{escape(path.name)}</a></li>' for path in paths)
    return f'<ul class="files">{"".join(links)}</ul>'
