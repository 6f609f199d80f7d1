"""Pictures of what distillation branches mask."""

from typing import Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .panels import LONGEST, PANEL
from .plots import FAINT_TEXT, GRID, LINE_COLOURS, TEXT
from .sheet import FAINT

# What hides a patch, RGB. Close to no picture's own colours in a regular grid.
HIDDEN = (128, 128, 128)
# Lines that fit into a panel at the usual size of letters.
_LINES = 9


def hide(image: np.ndarray, masked: np.ndarray) -> np.ndarray:
    """Cover masked pixels with grey.

    Args:
        image (ndarray): ``(H, W, 3)`` uint8 RGB.
        masked (ndarray): ``(H, W)`` bool.

    Returns:
        ndarray: ``(H, W, 3)`` uint8 RGB, a new image.
    """
    hidden = image.copy()
    hidden[masked] = HIDDEN
    return hidden


def dim(image: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Darken all pixels but some.

    Args:
        image (ndarray): ``(H, W, 3)`` uint8 RGB.
        kept (ndarray): ``(H, W)`` bool, the pixels that stay as they are.

    Returns:
        ndarray: ``(H, W, 3)`` uint8 RGB, a new image.
    """
    return np.where(kept[..., None], image, image // 5)


def draw_words(words: Sequence, shape: Sequence[int]) -> np.ndarray:
    """Draw a list of words: a bar for the rating of each, selected ones in bold, masked ones in grey boxes.

    Args:
        words (Sequence[MaskedWord]): See :class:`mmris.apis.masking.MaskedWord`.
        shape (Sequence[int]): Height and width of the picture that it stands beside; only their ratio counts.

    Returns:
        ndarray: ``(H, W, 3)`` uint8 RGB, of that ratio.
    """
    height, width = (PANEL * side / max(shape[:2]) for side in shape[:2])
    figure = Figure(figsize=(width, height), dpi=LONGEST / PANEL, facecolor='white')
    canvas = FigureCanvasAgg(figure)
    ratings = [word.rating for word in words]
    # The lowest still shows.
    lengths = ratings if None in ratings else 0.05 + 0.95 * rise(np.array(ratings))
    step = 1 / max(_LINES * height / PANEL, len(words))
    size = min(9, 0.75 * 72 * height * step)
    for place, (word, length) in enumerate(zip(words, lengths)):
        middle = 1 - (place + 0.5) * step
        box = dict(facecolor=tuple(np.array(FAINT) / 255), edgecolor='none', pad=1.2) if word.masked else None
        figure.text(
            0.03, middle, word.text, fontsize=size, va='center', bbox=box,
            color='white' if word.masked else TEXT if word.selected in (None, True) else FAINT_TEXT,
            fontweight='bold' if word.selected else 'normal')
        if length is not None:
            bar = figure.add_axes((0.62, middle - 0.3 * step, 0.35, 0.6 * step))
            bar.set_axis_off()
            bar.set_xlim(0, 1)
            bar.barh([0], [1], color=GRID)
            bar.barh([0], [length], color=LINE_COLOURS[0] if word.selected else FAINT_TEXT)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def rise(values: np.ndarray) -> np.ndarray:
    """Scale values to 0 at the lowest and 1 at the highest; all 0 if there is no difference."""
    low, high = values.min(initial=np.inf), values.max(initial=-np.inf)
    return (values - low) / (high - low) if high > low else np.zeros(values.shape)


def share_of(part: np.ndarray, whole: np.ndarray) -> str:
    """Which share of some pixels lies in others, as text."""
    return f'{100 * part[whole].mean():.0f}%' if whole.any() else 'none'
