"""What plots have in common: a plain look, colours, and labels beside the lines they belong to.

Imports matplotlib, so that whoever plots nothing does not.
"""

import logging
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, List, Optional, Sequence, Tuple, Union

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmris.utils import write_atomically

from .drawing import COLOURS
from .figure_text import AnyTextCanvas, prepare_texts
from .lettering import measure, wrap
from .sheet import FAINT, INK

TEXT, FAINT_TEXT = tuple(np.array(INK) / 255), tuple(np.array(FAINT) / 255)
GRID = (0.91, 0.91, 0.92)

# Of COLOURS all but yellow, which does not show on white; neighbours differ most.
LINE_COLOURS = tuple(tuple(np.array(COLOURS[place]) / 255) for place in (6, 4, 0, 3, 1, 2))
LABEL_SIZE = 9
# How many times larger than it is drawn text is measured: in whole pixels, letters of its size are too coarse.
_FINENESS = 8
# How much wider it may be drawn, since matplotlib rounds each letter to whole pixels.
_ROUNDING = 1.04

# Of the files that figures are saved to.
PIXEL_SUFFIXES = ('.png', '.jpg', '.jpeg', '.webp', '.tif', '.tiff')
FIGURE_SUFFIXES = (*PIXEL_SUFFIXES, '.pdf', '.svg', '.eps')


def style_axes(axes: Axes, title: str, *, x_label: str = '', y_label: str = '') -> None:
    """Give axes their title at the left, faint lines across, and no box."""
    axes.set_title(title, loc='left', fontsize=11, color=TEXT, pad=8)
    axes.set_xlabel(x_label, fontsize=LABEL_SIZE, color=FAINT_TEXT)
    axes.set_ylabel(y_label, fontsize=LABEL_SIZE, color=FAINT_TEXT)
    axes.grid(axis='y', color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=LABEL_SIZE, colors=FAINT_TEXT, length=0)
    for side in ('top', 'right', 'left'):
        axes.spines[side].set_visible(False)
    axes.spines['bottom'].set_color(FAINT_TEXT)


def title_figure(figure: Figure, title: str, subtitle: str = '') -> None:
    """Write a title and a smaller line below it, at the top left, at the same distance in figures of any height."""
    height = figure.get_figheight()
    figure.text(0.02, 1 - 0.18 / height, title, fontsize=15, color=TEXT, va='top')
    figure.text(0.02, 1 - 0.52 / height, subtitle, fontsize=LABEL_SIZE, color=FAINT_TEXT, va='top')


def text_width(text: str, points: float) -> float:
    """The width that text needs in a figure, in inches, given the size of its font."""
    return _ROUNDING * measure(text, round(_FINENESS * points)) / (72 * _FINENESS)


def wrap_text(text: str, points: float, inches: float, most: Optional[int] = None) -> List[str]:
    """Break text into lines for a figure.

    Args:
        text (str): Of any language.
        points (float): Size of the font.
        inches (float): Width of a line.
        most (int, optional): Lines after which it is cut and ends with `` ...``. Defaults to None: as many as needed.

    Returns:
        list[str]: The lines; see :func:`mmris.visualization.lettering.wrap`.
    """
    return wrap(text, round(_FINENESS * points), 72 * _FINENESS * inches / _ROUNDING, most)


def label_ends(axes: Axes, ends: Sequence[Tuple[float, str, tuple]]) -> None:
    """Write what lines are beside their right ends, moved apart where they would overlap.

    Args:
        axes (Axes): All lines are drawn, and the axes have their final place in the figure.
        ends (Sequence[tuple[float, str, tuple]]): For each line its last height in the data's units, text, colour.
    """
    ends = [end for end in ends if np.isfinite(end[0])]
    if not ends:
        return
    # Its limits are fixed now: what follows is computed from them.
    axes.set_ylim(axes.get_ylim())
    heights = axes.transData.transform([(0, height) for height, _, _ in ends])
    heights = axes.transAxes.inverted().transform(heights)[:, 1]
    line = 1.35 * LABEL_SIZE / 72 / (axes.get_position().height * axes.figure.get_figheight())
    for height, (_, text, colour) in zip(spread(heights, line), ends):
        axes.text(1.015, height, text, color=colour, fontsize=LABEL_SIZE, va='center', transform=axes.transAxes)


def spread(positions: Sequence[float], gap: float, top: float = 1.0) -> np.ndarray:
    """Move positions apart until neighbours are at least ``gap`` from one another, keeping their order.

    Args:
        positions (Sequence[float]): Where they would be.
        gap (float): The distance wanted.
        top (float): Not beyond this, as long as there is room below. Defaults to 1.

    Returns:
        ndarray: float64, in the order given.
    """
    order = np.argsort(positions, kind='stable')
    placed = np.array(positions, dtype=np.float64)[order]
    for place in range(1, len(placed)):
        placed[place] = max(placed[place], placed[place - 1] + gap)
    placed[-1] = min(placed[-1], top)
    for place in reversed(range(len(placed) - 1)):
        placed[place] = min(placed[place], placed[place + 1] - gap)
    result = np.empty_like(placed)
    result[order] = placed
    return result


def save_figure(figure: Figure, path: Union[str, Path]) -> None:
    """Write a figure as a picture, whole or not at all.

    Its texts may be of any language: fonts of the system have what DejaVu Sans lacks. Where none does, a message says
    which font to install.

    Args:
        figure (Figure): Complete. Its texts are changed, see :func:`mmris.visualization.figure_text.prepare_texts`.
        path (str or Path): Ends with one of ``FIGURE_SUFFIXES``. Emoji in colours need one of ``PIXEL_SUFFIXES``.
    """
    AnyTextCanvas(figure)
    prepare_texts(figure, in_pixels=Path(path).suffix.lower() in PIXEL_SUFFIXES)
    with write_atomically(path) as temporary, _without_font_warnings():
        figure.savefig(temporary, dpi=130, facecolor='white')


@contextmanager
def _without_font_warnings() -> Iterator[None]:
    """Keep matplotlib from saying what was said already, once a script, and that a font has no bold letters."""
    logger = logging.getLogger('matplotlib.font_manager')
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings('ignore', 'Glyph .* missing from')
            yield
    finally:
        logger.setLevel(level)
