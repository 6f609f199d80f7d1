"""Telling growth from noise in what a long run measures again and again."""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Dict, List, Sequence

import numpy as np
from matplotlib.figure import Figure
from scipy import stats

from mmris.utils.tables import markdown_table
from mmris.visualization.plots import FAINT_TEXT, LINE_COLOURS, save_figure, style_axes, title_figure

STEADY, GROWS, UNDECIDED = 'steady', 'grows', 'too short to tell'
# In 95 of 100 runs, the interval of a slope holds the true one.
CONFIDENCE = 0.95
# Of a run: at its beginning caches fill, and an allocator reaches its peak.
WARM_UP = 0.4
# Neighbours that are alike count less than that many samples each. Beyond, no slope could be told at all.
MOST_ALIKE = 0.95


@dataclass(frozen=True)
class Measure:
    """Something that is measured again and again, and should not grow.

    Attributes:
        name (str): By which samples have it.
        unit (str): Its unit.
        most (float): The growth that is taken, in its unit, per unit of ``x``.
    """

    name: str
    unit: str
    most: float


@dataclass(frozen=True)
class Line:
    """A line through samples.

    Attributes:
        slope (float): Growth per unit of ``x``.
        low, high (float): The interval of the slope at :data:`CONFIDENCE`.
    """

    slope: float
    low: float
    high: float


@dataclass(frozen=True)
class Trend:
    """How a measure went.

    Attributes:
        measure (Measure): What was measured.
        samples (int): How many samples there are after the warm-up.
        first, last (float): Means of the first and the last fifth of them.
        whole (Line): Through all of them.
        late (Line): Through the later half of them.
    """

    measure: Measure
    samples: int
    first: float
    last: float
    whole: Line
    late: Line

    @property
    def verdict(self) -> str:
        """str: :data:`GROWS` if the intervals of both lines are above the bound: a leak goes on, while a cache that
        fills levels off. :data:`STEADY` if that of one line is below. Otherwise :data:`UNDECIDED`."""
        lines, most = (self.whole, self.late), self.measure.most
        if all(line.low > most for line in lines):
            return GROWS
        return STEADY if any(line.high <= most for line in lines) else UNDECIDED


def fit_trend(measure: Measure, x: Sequence[float], values: Sequence[float]) -> Trend:
    """Fit lines to the samples after the warm-up, and to the later half of these.

    Args:
        measure (Measure): What was measured.
        x (Sequence[float]): When, in the order of time.
        values (Sequence[float]): The samples.

    Raises:
        ValueError: If fewer than 8 samples are left.
    """
    begin = int(len(x) * WARM_UP)
    x, values = np.asarray(x[begin:], dtype=float), np.asarray(values[begin:], dtype=float)
    count = len(x)
    if count < 8:
        raise ValueError(f'{measure.name} has {count} samples after the warm-up, but at least 8 are needed. Run '
                         f'longer, or take samples more often.')
    fifth, half = max(1, count // 5), count // 2
    return Trend(measure, count, float(values[:fifth].mean()), float(values[-fifth:].mean()), fit_line(x, values),
                 fit_line(x[half:], values[half:]))


def fit_line(x: np.ndarray, values: np.ndarray) -> Line:
    """Fit a line by least squares.

    The interval is Student's, widened by how alike neighbours are (the correlation r of neighbouring residuals, as
    ``sqrt((1 + r) / (1 - r))``): memory moves in waves, and waves pass for growth if samples count as independent.
    """
    count, x = len(x), x - x.mean()
    slope, middle = np.polyfit(x, values, 1)
    residuals = values - middle - slope * x
    spread = math.sqrt((residuals**2).sum() / (count - 2) / (x**2).sum())
    alike = 0.
    if residuals.std() > 1e-9 * max(1., abs(middle)):
        alike = (residuals[1:] * residuals[:-1]).sum() / (residuals**2).sum()
        # A fitted line takes some of it away: Kendall's correction, for a line.
        alike = float(np.clip(alike + (2 + 4 * alike) / count, 0, MOST_ALIKE))
    half = stats.t.ppf((1 + CONFIDENCE) / 2, count - 2) * spread * math.sqrt((1 + alike) / (1 - alike))
    return Line(float(slope), float(slope - half), float(slope + half))


@dataclass(frozen=True)
class Report:
    """What a long run found.

    Attributes:
        title (str): What ran.
        x (str): What the growth is counted by, such as ``'hour'``.
        facts (dict): What else is to be said of the run.
        samples (list[dict]): All samples: ``x`` and each measure, by name.
        trends (list[Trend]): A line for each measure.
    """

    title: str
    x: str
    facts: Dict[str, object]
    samples: List[Dict[str, float]]
    trends: List[Trend]

    @property
    def grows(self) -> List[str]:
        """list[str]: What grows."""
        return [one.measure.name for one in self.trends if one.verdict == GROWS]

    def table(self) -> str:
        """Lay it out as a Markdown table."""
        rows = []
        for one in self.trends:
            unit = one.measure.unit
            rows.append([
                one.measure.name, f'{_short(one.first)}{unit}', f'{_short(one.last)}{unit}',
                *(f'{_short(line.slope)} ± {_short((line.high - line.low) / 2)}{unit}'
                  for line in (one.whole, one.late)), f'{_short(one.measure.most)}{unit}', one.verdict])
        heading = ['measure', 'begins at', 'ends at', f'growth per {self.x}', 'in the later half', 'at most', 'verdict']
        return markdown_table(heading, rows, numbers=False)

    def write(self, folder: Path, name: str) -> None:
        """Write ``NAME.json``, ``NAME.md`` and ``NAME.png``."""
        folder.mkdir(parents=True, exist_ok=True)
        trends = [dict(asdict(one), verdict=one.verdict) for one in self.trends]
        content = dict(title=self.title, x=self.x, facts=self.facts, trends=trends, samples=self.samples)
        (folder / f'{name}.json').write_text(json.dumps(content, indent=2) + '\n')
        facts = '\n'.join(f'- {key}: {value}' for key, value in self.facts.items())
        (folder / f'{name}.md').write_text(f'# {self.title}\n\n{facts}\n\n{self.table()}\n')
        save_figure(self.draw(), folder / f'{name}.png')

    def draw(self) -> Figure:
        """Draw each measure over the run, with its line."""
        rows = math.ceil(len(self.trends) / 2)
        figure = Figure(figsize=(9, 1.2 + 2.2 * rows))
        panels = figure.subplots(rows, 2, squeeze=False).ravel()
        x = np.array([sample['x'] for sample in self.samples])
        kept = x[int(len(x) * WARM_UP):]
        for axes, trend in zip(panels, self.trends):
            name = trend.measure.name
            style_axes(axes, f'{name}: {trend.verdict}', x_label=self.x, y_label=trend.measure.unit.strip())
            values = np.array([sample[name] for sample in self.samples])
            axes.plot(x, values, '.', color=LINE_COLOURS[0], markersize=4)
            middle = values[len(x) - len(kept):].mean()
            axes.plot(kept, middle + trend.whole.slope * (kept - kept.mean()), color=LINE_COLOURS[1], linewidth=1.5)
            axes.axvline(kept[0], color=FAINT_TEXT, linewidth=0.8, linestyle=':')
        for axes in panels[len(self.trends):]:
            axes.set_visible(False)
        title_figure(figure, self.title, 'A dot is a sample; the line is fitted to those after the dotted one')
        figure.tight_layout(rect=(0, 0, 1, 1 - 0.7 / figure.get_figheight()))
        return figure


def make_report(title: str, x: str, measures: Sequence[Measure], samples: Sequence[Dict[str, float]],
                facts: Dict[str, object]) -> Report:
    """Fit a line to each measure.

    Args:
        title, x (str): See :class:`Report`.
        measures (Sequence[Measure]): What was measured.
        samples (Sequence[dict]): In the order of time, each with ``x`` and all measures.
        facts (dict): What else is to be said, by name.
    """
    when = [sample['x'] for sample in samples]
    trends = [fit_trend(one, when, [sample[one.name] for sample in samples]) for one in measures]
    return Report(title, x, {**facts, 'samples': len(samples)}, list(samples), trends)


def _short(value: float) -> str:
    """A number with three digits, without an exponent; rounding of a constant is 0."""
    if abs(value) < 1e-6:
        return '0'
    return f'{value:,.0f}' if abs(value) >= 100 else f'{value:.3g}'
