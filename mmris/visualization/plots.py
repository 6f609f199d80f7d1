"""What plots have in common: a plain look, colours, and labels beside the lines they belong to.

Imports matplotlib, so that whoever plots nothing does not.
"""

from pathlib import Path
from typing import Sequence, Tuple, Union

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmris.utils import write_atomically

from .drawing import COLOURS
from .sheet import FAINT, INK

TEXT, FAINT_TEXT = tuple(np.array(INK) / 255), tuple(np.array(FAINT) / 255)
GRID = (0.91, 0.91, 0.92)

# Of COLOURS all but yellow, which does not show on white; neighbours differ most.
LINE_COLOURS = tuple(tuple(np.array(COLOURS[place]) / 255) for place in (6, 4, 0, 3, 1, 2))
LABEL_SIZE = 9

# Of the files that figures are saved to.
FIGURE_SUFFIXES = ('.png', '.jpg', '.jpeg', '.webp', '.tif', '.tiff', '.pdf', '.svg', '.eps')


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
    """Write a figure as a picture, whole or not at all; the path ends with one of ``FIGURE_SUFFIXES``."""
    with write_atomically(path) as temporary:
        figure.savefig(temporary, dpi=130, facecolor='white')
