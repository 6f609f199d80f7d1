"""A plot of an ablation: each seed a dot, each mean a bar."""

from typing import Any, Dict

from matplotlib.figure import Figure

from mmris.utils.terminal import one_line

from .plots import FAINT_TEXT, GRID, LABEL_SIZE, LINE_COLOURS, TEXT, style_axes, text_width, title_figure


def draw_ablation(summary: Dict[str, Any], title: str) -> Figure:
    """Draw a summary of :func:`mmris.evaluation.ablation.summarise_ablation`: a panel a column, a line a config.

    Args:
        summary (dict): The summary.
        title (str): Title.

    Returns:
        Figure: The plot.
    """
    rows, columns = summary['rows'], summary['columns']
    height = 1.7 + 0.42 * len(rows)
    names = [one_line(row['name']) for row in rows]
    left = 0.4 + max(text_width(name, LABEL_SIZE) for name in names)
    figure = Figure(figsize=(left + 2.7 * len(columns), height))
    panels = figure.subplots(1, len(columns), sharey=True, squeeze=False)[0]
    figure.subplots_adjust(left=left / figure.get_figwidth(), right=0.98, top=1 - 1.1 / height, bottom=0.4 / height)
    for axes, column in zip(panels, columns):
        style_axes(axes, one_line(column).replace('/', ', '))
        axes.grid(visible=False, axis='y')
        axes.grid(axis='x', color=GRID, linewidth=0.8)
        axes.axvline(rows[0][column]['mean'], color=FAINT_TEXT, linewidth=1, linestyle=':')
        for place, row in enumerate(rows):
            colour = LINE_COLOURS[place % len(LINE_COLOURS)]
            values = list(row[column]['values'].values())
            axes.plot([row[column]['mean']] * 2, [place - 0.3, place + 0.3], color=colour, linewidth=3)
            axes.plot(values, [place] * len(values), 'o', color=colour, alpha=0.5, markersize=6, markeredgewidth=0)
        axes.set_yticks(range(len(rows)), names, fontsize=LABEL_SIZE, color=TEXT)
        # The first config on top.
        axes.set_ylim(len(rows) - 0.4, -0.6)
    seeds = ', '.join(map(str, summary['seeds']))
    title_figure(
        figure, title,
        f'Percent. A dot is a seed ({seeds}), a bar their mean, the dotted line the mean of {names[0]}')
    return figure
