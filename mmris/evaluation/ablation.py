"""Several configs, several seeds: mean, deviation, and difference from the first config."""

import statistics
from typing import Any, Dict, List, Sequence

from mmris.utils.tables import markdown_table


def summarise_ablation(runs: Sequence[Dict[str, Any]], metrics: Sequence[str]) -> Dict[str, Any]:
    """Summarise runs of several configs with the same seeds.

    Args:
        runs (Sequence[dict]): Each with ``name``, ``seed``, and ``metrics``: by split, then by metric, in percent.
        metrics (Sequence[str]): Which metrics.

    Returns:
        dict: ``rows``, one a config in the order of ``runs``: ``name``, and by ``<split>/<metric>`` a ``mean``, a
        sample ``deviation`` (None for one seed), the ``values`` by seed, and ``difference``, the mean and deviation of
        the seed-wise differences from the first config; ``seeds``; ``columns``, their names.

    Raises:
        ValueError: If a run lacks a metric (those there are get listed), or one is undefined, or a config lacks a seed.
    """
    names = list(dict.fromkeys(run['name'] for run in runs))
    seeds = sorted({run['seed'] for run in runs})
    columns = [f'{split}/{metric}' for split in runs[0]['metrics'] for metric in metrics]
    values = {name: {column: _by_seed(runs, name, column, seeds) for column in columns} for name in names}
    rows = []
    for name in names:
        row: Dict[str, Any] = dict(name=name)
        for column in columns:
            own, first = values[name][column], values[names[0]][column]
            row[column] = dict(
                _mean_and_deviation(own),
                values=dict(zip(map(str, seeds), own)),
                difference=_mean_and_deviation([one - other for one, other in zip(own, first)]))
        rows.append(row)
    return dict(seeds=seeds, columns=columns, rows=rows)


def runs_by_skill(runs: Sequence[Dict[str, Any]], split: str) -> List[Dict[str, Any]]:
    """Turn a split's scores by skill into runs that :func:`summarise_ablation` takes, with a skill for a split.

    Args:
        runs (Sequence[dict]): As there.
        split (str): One of their splits.

    Returns:
        list[dict]: The runs. Empty if any of them was not scored by skill.
    """
    if not all('skill' in run['metrics'][split] for run in runs):
        return []
    return [dict(run, metrics=run['metrics'][split]['skill']) for run in runs]


def format_ablation(summary: Dict[str, Any]) -> str:
    """A Markdown table of a summary: mean and deviation, and below each its difference from the first config."""
    columns, (first, *others) = summary['columns'], summary['rows']
    rows = [[row['name'], *(_cell(row[column]) for column in columns)] for row in (first, *others)]
    for row in others:
        differences = (_cell(row[column]['difference'], sign='+') for column in columns)
        rows.append([f'{row["name"]} - {first["name"]}', *differences])
    return markdown_table(['', *columns], rows)


def _by_seed(runs: Sequence[Dict[str, Any]], name: str, column: str, seeds: Sequence[int]) -> List[float]:
    split, metric = column.split('/', 1)
    found = {run['seed']: run['metrics'].get(split, {}) for run in runs if run['name'] == name}
    values = []
    for seed in seeds:
        if seed not in found:
            raise ValueError(
                f'{name} lacks seed {seed}, which another config has. Run all configs with the same seeds.')
        if metric not in found[seed]:
            raise ValueError(
                f'{name}, seed {seed}, has no {metric} on {split}. There are: {", ".join(found[seed]) or "none"}.')
        if found[seed][metric] is None:
            raise ValueError(f'{metric} of {name}, seed {seed}, on {split} is undefined. Choose other --metrics.')
        values.append(float(found[seed][metric]))
    return values


def _mean_and_deviation(values: Sequence[float]) -> Dict[str, Any]:
    return dict(
        mean=statistics.fmean(values), deviation=statistics.stdev(values) if len(values) > 1 else None)


def _cell(entry: Dict[str, Any], sign: str = '') -> str:
    deviation = '' if entry['deviation'] is None else f' ± {entry["deviation"]:.2f}'
    return f'{entry["mean"]:{sign}.2f}{deviation}'
