"""Plots of where a model fails."""

from typing import Any, Callable, Dict, List, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from mmris.evaluation.error_analysis import OUTCOMES, outcome, target_share, words_bin
from mmris.utils.terminal import one_line

from .drawing import COLOURS
from .plots import FAINT_TEXT, LABEL_SIZE, LINE_COLOURS, TEXT, style_axes, text_width, title_figure, wrap_text

_BLUE = LINE_COLOURS[0]
_OUTCOME_COLOURS = {
    name: tuple(np.array(colour) / 255)
    for name, colour in zip(
        OUTCOMES, (COLOURS[0], COLOURS[1], COLOURS[4], (120, 120, 128), COLOURS[3], COLOURS[2], COLOURS[6]))
}
# Points, and inches of a split's name.
_HEADING_SIZE, _LONGEST_NAME = 12, 2.5
# How much wider letters are in bold; inches between two outcomes.
_BOLD, _GAP = 1.15, 0.3
# Number of skills whose names fit side by side in letters of the usual size.
_SKILLS = 6
_SHARE_TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)


def draw_errors(rows: Dict[str, Sequence[dict]], analyses: Dict[str, Dict[str, Any]]) -> Figure:
    """Draw a row of plots a split: IoU by the target's share, by words, by skill, and how often it occurs.

    Args:
        rows (dict[str, Sequence[dict]]): By split, as :func:`mmris.evaluation.error_analysis.read_expression_rows`
            reads them.
        analyses (dict[str, dict]): What :func:`mmris.evaluation.error_analysis.analyse` made of them.

    Returns:
        Figure: To be saved with :func:`mmris.visualization.plots.save_figure`.
    """
    plots: List[Callable[[Axes, Sequence[dict], Dict[str, Any]], None]] = [_draw_share, _draw_histogram, _draw_words]
    if any(analysis['skill'] for analysis in analyses.values()):
        plots.append(_draw_skills)
    figure = Figure(figsize=(1.2 + 4.4 * len(plots), 1.3 + 3.7 * len(rows)))
    width, height = figure.get_size_inches()
    title_figure(figure, 'Errors', 'Dots are expressions; lines and bars are means, with their 95 % intervals')
    grid = figure.add_gridspec(
        len(rows), len(plots), left=0.75 / width, right=1 - 0.3 / width, top=1 - 1.3 / height, bottom=0.6 / height,
        hspace=0.52, wspace=0.24)
    for place, split in enumerate(rows):
        for column, draw in enumerate(plots):
            draw(figure.add_subplot(grid[place, column]), rows[split], analyses[split])
        left, top = 0.75 / width, grid[place, 0].get_position(figure).y1 + 0.4 / height
        _draw_heading(figure, split, analyses[split], left, top)
    return figure


def _draw_share(axes: Axes, rows: Sequence[dict], analysis: Dict[str, Any]) -> None:
    style_axes(axes, 'IoU by the target\'s share of the image', x_label='percent of the image', y_label='IoU, percent')
    rows = [row for row in rows if row['target_pixels']]
    shares = np.array([target_share(row) for row in rows])
    ious = np.array([100 * row['iou'] for row in rows])
    if not rows:
        return
    size = np.clip(3000 / len(rows), 2, 22)
    axes.scatter(shares, ious, s=size, color=[_OUTCOME_COLOURS[outcome(row)] for row in rows], alpha=0.45, linewidths=0)
    # Bins of as many expressions each: sizes are spread unevenly.
    parts = np.array_split(np.argsort(shares, kind='stable'), min(10, max(1, len(rows) // 5)))
    centres = [float(np.median(shares[part])) for part in parts]
    means, errors = _means([ious[part] for part in parts])
    axes.errorbar(centres, means, errors, color=TEXT, linewidth=1.8, marker='o', markersize=4, elinewidth=1)
    axes.set_xscale('log')
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks([tick for tick in _SHARE_TICKS if 0.7 * shares.min() <= tick <= 1.4 * shares.max()])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f'{value:g}'))
    axes.set_ylim(-3, 103)


def _draw_histogram(axes: Axes, rows: Sequence[dict], analysis: Dict[str, Any]) -> None:
    style_axes(axes, 'How often an IoU occurs', x_label='IoU, percent', y_label='percent of expressions')
    by_outcome = {name: [100 * row['iou'] for row in rows if outcome(row) == name] for name in OUTCOMES}
    names = [name for name, ious in by_outcome.items() if ious]
    axes.hist(
        [by_outcome[name] for name in names], bins=np.linspace(0, 100, 21), stacked=True, rwidth=0.92,
        weights=[np.full(len(by_outcome[name]), 100 / len(rows)) for name in names],
        color=[_OUTCOME_COLOURS[name] for name in names])
    axes.set_xlim(0, 100)


def _draw_words(axes: Axes, rows: Sequence[dict], analysis: Dict[str, Any]) -> None:
    style_axes(axes, f'{analysis["mean"]} by the number of words', x_label='words (and expressions)')
    names = list(analysis['words'])
    means, errors = _means([[100 * row['iou'] for row in rows if words_bin(row) == name] for name in names])
    axes.bar(range(len(names)), means, yerr=errors, color=_BLUE, width=0.72, error_kw=dict(ecolor=TEXT, linewidth=1))
    labels = [f'{name.replace(" or more", "+")}\n({analysis["words"][name]["expressions"]})' for name in names]
    axes.set_xticks(range(len(names)), labels)
    axes.set_xlim(-0.6, max(len(names), 5) - 0.4)
    axes.set_ylim(0, 100)


def _draw_skills(axes: Axes, rows: Sequence[dict], analysis: Dict[str, Any]) -> None:
    style_axes(axes, f'{analysis["mean"]} by skill', x_label='skill (and expressions)')
    names = list(analysis['skill'])
    groups = [[100 * row['iou'] for row in rows if name in (row.get('skills') or ())] for name in names]
    means, errors = _means(groups)
    axes.bar(range(len(names)), means, yerr=errors, color=_BLUE, width=0.6, error_kw=dict(ecolor=TEXT, linewidth=1))
    labels = [f'{one_line(name)}\n({len(group)})' for name, group in zip(names, groups)]
    axes.set_xticks(range(len(names)), labels, fontsize=LABEL_SIZE * min(1, _SKILLS / len(names)))
    mean = analysis['scores'][analysis['mean']]
    axes.axhline(mean, color=FAINT_TEXT, linewidth=1, linestyle='--')
    axes.set_xlim(-0.6, max(len(names), 5) - 0.4)
    axes.text(max(len(names), 5) - 0.4, mean + 1.5, 'all', color=FAINT_TEXT, fontsize=LABEL_SIZE,
              ha='right')
    axes.set_ylim(0, 100)


def _means(groups: Sequence[Sequence[float]]) -> tuple:
    """Mean of each group, and 1.96 standard errors (none of a single value)."""
    means = [float(np.mean(group)) for group in groups]
    errors = [1.96 * float(np.std(group, ddof=1)) / len(group)**0.5 if len(group) > 1 else 0.0 for group in groups]
    return means, errors


def _draw_heading(figure: Figure, split: str, analysis: Dict[str, Any], left: float, top: float) -> None:
    """Name and scores of a split, and how many of its predictions come out how."""
    scores, width = analysis['scores'], figure.get_figwidth()
    name = ''.join(wrap_text(split, _HEADING_SIZE, _LONGEST_NAME, most=1))
    named = ', '.join(f'{score} {scores[score]:.1f}' for score in (analysis['overall'], analysis['mean']))
    title = f'{name}: {scores["expressions"]} expressions, {named}'
    figure.text(left, top, title, fontsize=_HEADING_SIZE, color=TEXT, weight='bold')
    texts = [f'{name} {group["share"]:.0f} %' for name, group in analysis['outcome'].items()]
    size, start = LABEL_SIZE + 2, left * width + max(5.4, _BOLD * text_width(title, _HEADING_SIZE) + 0.3)
    needed = sum(_BOLD * text_width(text, size) + _GAP for text in texts)
    # Smaller where a figure of few plots has no room for all of them.
    scale = min(1, (width - start) / needed)
    for name, text in zip(analysis['outcome'], texts):
        figure.text(start / width, top, text, fontsize=scale * size, color=_OUTCOME_COLOURS[name], weight='bold')
        start += scale * (_BOLD * text_width(text, size) + _GAP)
