"""Curves of losses, metrics and the like of one run, or of several over one another."""

from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from mmris.utils.terminal import one_line
from mmris.utils.training_log import CHANCE, TARGET_SHARE, TrainingLog

from .plots import FAINT_TEXT, LABEL_SIZE, LINE_COLOURS, TEXT, label_ends, style_axes, title_figure

COMPARED = ('loss', 'mIoU', 'oIoU', 'gIoU', 'cIoU', 'Pr@0.5')
PERCENT = ('oIoU', 'cIoU', 'mIoU', 'gIoU', 'N-acc', 'T-acc', 'Acc')
# What is set and not measured has no noise to smooth.
EXACT = ('lr', 'base_lr', 'momentum')
LINE_STYLES = ('-', '--', ':')
SHARES = "Share of the target's patches that a branch selected"
PRECISION_COLOUR = LINE_COLOURS[2]


def draw_curves(logs: Dict[str, TrainingLog], keys: Optional[Sequence[str]] = None) -> Figure:
    """Draw what runs logged.

    What training logs is drawn smoothed over its raw values; the best value of a metric is circled.

    Args:
        logs (dict[str, TrainingLog]): By the run's name.
        keys (Sequence[str], optional): Numbers to draw, each by itself. Defaults to None: of one run losses, metrics,
            the share of the target's patches that distillation branches selected, if logged, and learning rate; of
            several runs what they have of :data:`COMPARED`.

    Returns:
        Figure: To be saved with :func:`mmris.visualization.plots.save_figure`.

    Raises:
        ValueError: If there is no run, or none logged one of ``keys``; the message lists what they did log.
    """
    if not logs:
        raise ValueError('There is no run to draw curves of.')
    logged = logged_keys(logs)
    unknown = [key for key in keys or () if key not in logged]
    if unknown:
        raise ValueError(f'No run logged {", ".join(unknown)}. Logged: {", ".join(logged)}.')
    if len(logs) == 1 and keys is None:
        (name, log), = logs.items()
        return _draw_run(name, log)
    return _draw_comparison(logs, keys or [key for key in COMPARED if key in logged] or logged[:1])


def logged_keys(logs: Dict[str, TrainingLog]) -> List[str]:
    """Names of all numbers that any of the runs logged."""
    names: Dict[str, None] = {}
    for log in logs.values():
        names.update(dict.fromkeys(key for row in (*log.training, *log.validation) for key in row))
    return [name for name in names if name not in ('step', 'iter', 'epoch')]


def running_mean(values: np.ndarray, window: int) -> np.ndarray:
    """Mean over a centred window that shrinks towards both ends, so that first and last values stay as they are.

    Args:
        values (ndarray): ``(n,)``; what is not finite is left out.
        window (int): Values on which it is taken, odd.

    Returns:
        ndarray: ``(n,)`` float64, NaN where a window has no finite value.
    """
    places = np.arange(len(values))
    reach = np.minimum(window // 2, np.minimum(places, places[::-1]))
    finite = np.isfinite(values)
    sums = np.pad(np.stack([np.where(finite, values, 0.0), finite]), ((0, 0), (1, 0))).cumsum(axis=1)
    total, count = sums[:, places + reach + 1] - sums[:, places - reach]
    return np.divide(total, count, out=np.full(len(values), np.nan), where=count > 0.5)


def _draw_run(name: str, log: TrainingLog) -> Figure:
    shares = [prefix + branch for branch in log.selecting_branches for prefix in (TARGET_SHARE, CHANCE)]
    groups: List[Tuple[str, List[str], float]] = [('Losses', log.losses, 3.2), ('Validation', log.metrics, 3.2),
                                                  (SHARES, shares, 1.9), ('Learning rate', ['lr'], 1.5)]
    groups = [(title, keys, size) for title, keys, size in groups if any(len(log.series(key)[0]) for key in keys)]
    if not groups:
        raise ValueError(f'{name} logged no loss, metric or learning rate yet.')
    sizes = [size for _, _, size in groups]
    figure = Figure(figsize=(9.5, sum(sizes) + 0.75 * len(groups) + 1.1))
    title_figure(figure, one_line(name), _progress(log))
    rows = _grid(figure, len(groups), 1, height_ratios=sizes, right=0.82)
    end = max((row['iter'] for row in (*log.training, *log.validation)), default=1)
    for axes, (title, keys, _) in zip(rows, groups):
        style_axes(axes, title, x_label='step' if axes is rows[-1] else '', y_label=_unit(keys))
        axes.set_xlim(0, 1.01 * end)
        if title == SHARES:
            # A line at 1 is seen whole.
            axes.set_ylim(0, 1.03)
        _draw_lines(axes, [(_label(key), log, key, colour, '--' if key.startswith(CHANCE) else '-')
                           for key, colour in _colours(keys)])
    return figure


def _draw_comparison(logs: Dict[str, TrainingLog], keys: Sequence[str]) -> Figure:
    several = len(logs) > 1
    columns = min(2, len(keys))
    rows = -(-len(keys) // columns)
    legend = 0.24 * len(logs) if several else 0.2
    figure = Figure(figsize=(7.4 * columns, 3.95 * rows + 0.9 + legend))
    first, log = next(iter(logs.items()))
    title = 'Runs compared; circled: the best' if several else one_line(first)
    title_figure(figure, title, '' if several else _progress(log))
    grid = _grid(figure, rows, columns, top=0.9 + legend, right=0.93, wspace=0.36)
    looks = [(LINE_COLOURS[place % len(LINE_COLOURS)], LINE_STYLES[place // len(LINE_COLOURS) % len(LINE_STYLES)])
             for place in range(len(logs))]
    for axes, key in zip(grid, keys):
        style_axes(axes, key, x_label='step', y_label=_unit([key]))
        _draw_lines(axes, [('', log, key, *look) for log, look in zip(logs.values(), looks)])
        axes.set_xlim(left=0)
    for axes in grid[len(keys):]:
        axes.remove()
    if several:
        _draw_legend(figure, [one_line(name) for name in logs], looks)
    return figure


def _grid(figure: Figure, rows: int, columns: int, *, right: float, top: float = 1.1, height_ratios: Sequence = None,
          wspace: float = 0.0) -> List[Axes]:
    height = figure.get_figheight()
    spec = figure.add_gridspec(
        rows, columns, left=0.7 / figure.get_figwidth(), right=right, top=1 - top / height, bottom=0.5 / height,
        hspace=0.32, wspace=wspace, height_ratios=height_ratios)
    return [figure.add_subplot(spec[row, column]) for row in range(rows) for column in range(columns)]


def _draw_lines(axes: Axes, lines: Sequence[Tuple[str, TrainingLog, str, tuple, str]]) -> None:
    """Draw label, log, key, colour and style of each."""
    ends, values = [], [log.series(key)[1] for _, log, key, _, _ in lines]
    if all('loss' in key for _, _, key, _, _ in lines) and all(
            (value[np.isfinite(value)] > 0).all() for value in values):
        # Parts of a loss differ by orders of magnitude, and so do its beginning and its end.
        axes.set_yscale('log')
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f'{value:g}'))
    for label, log, key, colour, style in lines:
        steps, values = log.series(key)
        if not len(steps):
            continue
        if log.is_metric(key):
            _draw_metric(axes, steps, values, colour, style, lowest='loss' in key)
            number = f'{values[-1]:.1f}'
        else:
            if key not in EXACT and not key.startswith(CHANCE):
                axes.plot(steps, values, color=colour, alpha=0.3, linewidth=1)
                values = running_mean(values, window=2 * (len(values) // 40) + 1)
            axes.plot(steps, values, color=colour, linewidth=1.8, linestyle=style)
            number = f'{values[-1]:.3g}'
        ends.append((values[-1], f'{label} {number}'.strip(), colour))
    label_ends(axes, ends)


def _draw_metric(axes: Axes, steps: np.ndarray, values: np.ndarray, colour: tuple, style: str, lowest: bool) -> None:
    axes.plot(steps, values, color=colour, linewidth=1.6, linestyle=style, marker='o', markersize=3)
    if np.isfinite(values).any():
        best = int(np.nanargmin(values) if lowest else np.nanargmax(values))
        axes.plot(steps[best], values[best], marker='o', markersize=8, markerfacecolor='none', markeredgecolor=colour,
                  clip_on=False)


def _draw_legend(figure: Figure, names: Sequence[str], looks: Sequence[tuple]) -> None:
    handles = [Line2D([], [], color=colour, linestyle=style, linewidth=2) for colour, style in looks]
    figure.legend(
        handles,
        names,
        loc='upper left',
        bbox_to_anchor=(0.02 - 0.06 / figure.get_figwidth(), 1 - 0.45 / figure.get_figheight()),
        frameon=False,
        fontsize=LABEL_SIZE + 1,
        labelcolor=[TEXT],
        borderpad=0,
        handlelength=2.4)


def _colours(keys: Sequence[str]) -> List[Tuple[str, tuple]]:
    """The total loss in black, chance in grey, precisions in shades of one colour, all else in turn."""
    precisions = [key for key in keys if key.startswith('Pr@')]
    references = [key for key in keys if key.startswith(CHANCE)]
    others = [key for key in keys if key != 'loss' and key not in precisions + references]
    colours = dict(dict.fromkeys(references, FAINT_TEXT), loss=TEXT)
    colours.update({key: LINE_COLOURS[place % len(LINE_COLOURS)] for place, key in enumerate(others)})
    for place, key in enumerate(precisions):
        paleness = 0.55 * place / len(precisions)
        colours[key] = tuple(1 - (1 - part) * (1 - paleness) for part in PRECISION_COLOUR)
    return [(key, colours[key]) for key in keys]


def _label(key: str) -> str:
    """A panel's title says what a share is, so its label is the branch alone."""
    if key.startswith(CHANCE):
        return f'{key.removeprefix(CHANCE)}, chance'
    return key.removeprefix(TARGET_SHARE)


def _unit(keys: Sequence[str]) -> str:
    return 'percent' if any(key in PERCENT or key.startswith('Pr@') for key in keys) else ''


def _progress(log: TrainingLog) -> str:
    last = log.training[-1] if log.training else {}
    epoch = f' (epoch {last["epoch"]})' if 'epoch' in last else ''
    return f'{last.get("iter", 0)} steps{epoch}; circled: the best'
