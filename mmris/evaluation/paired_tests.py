"""Whether configs that were run with the same seeds differ by more than seeds do."""

import warnings
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np
from scipy import stats

from mmris.utils.tables import markdown_table

# How sure intervals are, in percent; what a corrected p is held against is the rest.
CONFIDENCE = 95


def compare_pairs(summary: Dict[str, Any], pairs: Sequence[Tuple[str, str]], column: str) -> Dict[str, Any]:
    """Test differences between configs, seed by seed.

    Student's t for pairs, two-sided. Several tests find something by luck more often than one, so that their p are
    corrected together (Holm, "A simple sequentially rejective multiple test procedure", 1979).

    Args:
        summary (dict): Of :func:`~mmris.evaluation.ablation.summarise_ablation`, of two seeds or more.
        pairs (Sequence[tuple[str, str]]): Names of configs: the one, and the one that it is held against.
        column (str): On which column, such as ``'val/mIoU'``.

    Returns:
        dict: ``column``, and ``pairs``, one each: ``names``, ``difference``, the mean, ``interval``, two numbers that
        hold the true difference with 95 % confidence, ``p``, and ``p_corrected``, in [0, 1].

    Raises:
        ValueError: If a config or the column is not in the summary (those there are get listed), or there is one seed.
    """
    rows = {row['name']: row for row in summary['rows']}
    check_pairs(pairs, column, names=list(rows), columns=summary['columns'], seeds=summary['seeds'])
    values = {name: list(row[column]['values'].values()) for name, row in rows.items()}
    tested = [_test(*(values[name] for name in pair)) for pair in pairs]
    corrected = correct_by_holm([one['p'] for one in tested])
    return dict(
        column=column,
        pairs=[dict(names=list(pair), **one, p_corrected=p) for pair, one, p in zip(pairs, tested, corrected)])


def check_pairs(pairs: Sequence[Tuple[str, str]], column: str, *, names: Sequence[str], columns: Sequence[str],
                seeds: Sequence[int]) -> None:
    """Check what :func:`compare_pairs` is to test, which can be done before anything is run.

    Args:
        pairs (Sequence[tuple[str, str]]): As there.
        column (str): As there.
        names (Sequence[str]): The configs that there are.
        columns (Sequence[str]): The columns that there are.
        seeds (Sequence[int]): The seeds.

    Raises:
        ValueError: As there.
    """
    unknown = [name for pair in pairs for name in pair if name not in names]
    if unknown:
        raise ValueError(f'A pair names {unknown[0]}, but the configs are {", ".join(names)}.')
    if column not in columns:
        raise ValueError(f'Pairs are to be tested on {column}, but the columns are {", ".join(columns)}.')
    if len(set(seeds)) < 2:
        raise ValueError('Pairs are tested seed by seed, which takes two seeds or more, but there is one.')


def correct_by_holm(p: Sequence[float]) -> List[float]:
    """Holm's correction: the k-th smallest of n times ``n + 1 - k``, at least the one before, at most 1."""
    values = np.asarray(p, dtype=float)
    order = values.argsort()
    corrected = np.empty_like(values)
    corrected[order] = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1)).clip(max=1)
    return corrected.tolist()


def format_pairs(compared: Dict[str, Any]) -> str:
    """A Markdown table of :func:`compare_pairs`."""
    rows = []
    for pair in compared['pairs']:
        low, high = pair['interval']
        rows.append([
            ' - '.join(pair['names']), f'{pair["difference"]:+.2f}', f'{low:+.2f} to {high:+.2f}', f'{pair["p"]:.3g}',
            f'{pair["p_corrected"]:.3g}'])
    return markdown_table(
        [f'{compared["column"]}, by seed', 'difference', f'{CONFIDENCE}% interval', 'p', 'p, Holm'], rows)


def _test(first: Sequence[float], second: Sequence[float]) -> Dict[str, Any]:
    if np.ptp(np.subtract(first, second)) == 0:
        # All seeds alike, as where a config is held against itself: t has no meaning.
        difference = float(first[0] - second[0])
        return dict(difference=difference, interval=[difference, difference], p=0.0 if difference else 1.0)
    with warnings.catch_warnings():
        # Nearly equal differences are told by their p.
        warnings.simplefilter('ignore', RuntimeWarning)
        found = stats.ttest_rel(first, second)
    interval = found.confidence_interval(CONFIDENCE / 100)
    return dict(
        difference=float(np.mean(np.subtract(first, second))),
        interval=[float(interval.low), float(interval.high)],
        p=float(found.pvalue))
