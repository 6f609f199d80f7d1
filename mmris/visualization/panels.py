"""Rows of small pictures, a row for each sentence: where a model looks, and what its branches mask."""

from dataclasses import dataclass
from itertools import groupby
from typing import List, Sequence, Tuple

import cv2
import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mmris.utils.terminal import one_line

from .plots import FAINT_TEXT, GRID, LABEL_SIZE, TEXT, title_figure, wrap_text

HEAT_COLOURS = 'inferno'
# In inches.
PANEL, GAP, GROUP_GAP = 1.5, 0.07, 0.24
TITLE, LINE, HEADING, SENTENCE, CAPTION = 0.62, 0.16, 0.5, 0.3, 0.42
# As titles have it, of the figure's width.
MARGIN = 0.02
SENTENCE_SIZE = 12
# A picture's longer side in pixels, at which it is sharp in its panel.
LONGEST = 500


@dataclass(frozen=True)
class Panel:
    """One picture of a row.

    Attributes:
        heading (str): What it belongs to. Panels side by side with the same heading and subheading share one.
        subheading (str): Smaller text below the heading.
        picture (ndarray): ``(H, W, 3)`` uint8 RGB; drawn from a smaller copy where it is large.
        title (str): Below the picture. Defaults to ''.
        note (str): Small text below the title. Defaults to ''.
    """

    heading: str
    subheading: str
    picture: np.ndarray
    title: str = ''
    note: str = ''

    def __post_init__(self) -> None:
        scale = LONGEST / max(self.picture.shape[:2])
        if scale < 1:
            size = tuple(max(1, round(side * scale)) for side in self.picture.shape[1::-1])
            object.__setattr__(self, 'picture', cv2.resize(self.picture, size, interpolation=cv2.INTER_AREA))


def overlay_heatmap(image: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Draw heat over a dimmed image.

    Args:
        image (ndarray): ``(H, W, 3)`` uint8 RGB.
        heat (ndarray): ``(H, W)`` float in [0, 1]: 0 leaves the dimmed image, 1 all but covers it.

    Returns:
        ndarray: ``(H, W, 3)`` uint8 RGB, a new image.

    Raises:
        ValueError: If image and heat differ in size.
    """
    if image.shape[:2] != heat.shape:
        raise ValueError(f'The heat is {heat.shape} (height, width), but its image is {image.shape[:2]}.')
    grey = image.mean(axis=2, keepdims=True)
    dimmed = 0.4 * (0.5 * image + 0.5 * grey)
    colours = 255 * colormaps[HEAT_COLOURS](heat)[..., :3]
    opacity = 0.8 * heat[..., None]
    return (dimmed * (1 - opacity) + colours * opacity).round().astype(np.uint8)


def draw_panels(rows: Sequence[Tuple[str, List[Panel]]], *, title: str, subtitle: str = '') -> Figure:
    """Draw panels side by side, a row for each sentence.

    Args:
        rows (Sequence[tuple[str, list[Panel]]]): Sentence, of any language, and panels of each; a sentence
            that is too long is cut. All have the same headings in the same order, and pictures of one size.
        title (str): Large text at the top.
        subtitle (str): Smaller text below it. Defaults to ''.

    Returns:
        Figure: To be saved with :func:`mmris.visualization.plots.save_figure`.

    Raises:
        ValueError: If there is no row, or one without panels.
    """
    if not rows or not all(panels for _, panels in rows):
        raise ValueError('A picture needs at least one row, and panels in each.')
    first = rows[0][1]
    shape = first[0].picture.shape[:2]
    size = PANEL * shape[1] / max(shape), PANEL * shape[0] / max(shape)
    groups = [len(list(group)) for _, group in groupby(first, key=lambda panel: (panel.heading, panel.subheading))]
    row_height = SENTENCE + size[1] + CAPTION
    lefts, width = _lefts(groups)
    room = (1 - 2 * MARGIN) * width
    lines = wrap_text(subtitle, LABEL_SIZE, room)
    below_title = TITLE + LINE * len(lines)
    figure = Figure(figsize=(width, below_title + HEADING + len(rows) * row_height + 0.1))
    title_figure(figure, one_line(title), '\n'.join(lines))
    _draw_headings(figure, first, groups, lefts, figure.get_figheight() - below_title)
    for place, (sentence, panels) in enumerate(rows):
        top = figure.get_figheight() - below_title - HEADING - place * row_height
        _text(figure, lefts[0], top - 0.02, ''.join(wrap_text(sentence, SENTENCE_SIZE, room, most=1)),
              fontsize=SENTENCE_SIZE, color=TEXT)
        for left, panel in zip(lefts, panels):
            _draw_panel(figure, panel, (left, top - SENTENCE), size)
    return figure


def _lefts(groups: Sequence[int]) -> Tuple[List[float], float]:
    """Left edges of all panels, and the figure's width."""
    lefts, left = [], 0.0
    for count in groups:
        lefts += [left + place * (PANEL + GAP) for place in range(count)]
        left = lefts[-1] + PANEL + GROUP_GAP
    width = (lefts[-1] + PANEL) / (1 - 2 * MARGIN)
    return [left + MARGIN * width for left in lefts], width


def _draw_headings(figure: Figure, panels: Sequence[Panel], groups: Sequence[int],
                   lefts: Sequence[float], top: float) -> None:
    width, height = figure.get_size_inches()
    start = 0
    for count in groups:
        left, right = lefts[start], lefts[start + count - 1] + PANEL
        _text(figure, left, top, panels[start].heading, fontsize=11, color=TEXT)
        _text(figure, left, top - 0.2, panels[start].subheading, fontsize=LABEL_SIZE - 1, color=FAINT_TEXT)
        line = (top - 0.4) / height
        figure.add_artist(Line2D([left / width, right / width], [line, line], color=GRID, linewidth=1.5))
        start += count


def _draw_panel(figure: Figure, panel: Panel, corner: Tuple[float, float], size: Tuple[float, float]) -> None:
    """Draw a panel, given its upper left corner and the size of its picture in inches."""
    width, height = figure.get_size_inches()
    left, top = corner
    axes = figure.add_axes((left / width, (top - size[1]) / height, size[0] / width, size[1] / height))
    axes.imshow(panel.picture, aspect='auto', interpolation='antialiased')
    axes.set_axis_off()
    below = top - size[1] - 0.05
    _text(figure, left, below, panel.title, fontsize=LABEL_SIZE, color=TEXT)
    _text(figure, left, below - 0.16, panel.note, fontsize=LABEL_SIZE - 1, color=FAINT_TEXT)


def _text(figure: Figure, left: float, top: float, text: str, **look: object) -> None:
    width, height = figure.get_size_inches()
    figure.text(left / width, top / height, one_line(text), va='top', **look)
