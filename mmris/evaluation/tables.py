"""Scores as nested results and as tables."""

import json
import math
from typing import Any, Dict, Iterator, Optional, Sequence, Tuple

from mmris.utils.tables import markdown_table

from .iou import PRECISION_THRESHOLDS

# The means over sentences that protocols give, of which each gives one.
MEANS = ('mIoU', 'gIoU')
_PRECISIONS = tuple(f'Pr@{threshold}' for threshold in PRECISION_THRESHOLDS)
COLUMNS = ('oIoU', 'mIoU', *_PRECISIONS, 'expressions')
# The scores of all protocols.
ALL_COLUMNS = ('oIoU', 'cIoU', *MEANS, 'N-acc', 'T-acc', 'Acc', *_PRECISIONS, 'expressions')


def nest_metrics(metrics: Dict[str, Any]) -> Dict[str, Any]:
    """Turn ``{'val/skill/colour/mIoU': 1.0}`` into ``{'val': {'skill': {'colour': {'mIoU': 1.0}}}}``."""
    nested: Dict[str, Any] = {}
    for path, value in metrics.items():
        *parents, name = path.split('/')
        place = nested
        for parent in parents:
            place = place.setdefault(parent, {})
        place[name] = value
    return nested


def format_table(rows: Dict[str, Dict[str, float]], *, first: str, columns: Optional[Sequence[str]] = None) -> str:
    """Lay out scores, a line each, in columns that line up and are Markdown.

    Args:
        rows (dict[str, dict[str, float]]): Scores by the line's name.
        first (str): Heading of the names.
        columns (Sequence[str], optional): Which scores. Default: None, those of the default protocol; if others are
            among them, all that there are.

    Returns:
        str: The table; ``undefined`` where a score is NaN or None, ``-`` where there is none of that name.
    """
    columns = _columns_of(rows) if columns is None else columns
    cells = [[name, *(_cell(scores[column]) if column in scores else '-' for column in columns)]
             for name, scores in rows.items()]
    return markdown_table([first, *columns], cells)


def format_results(results: Dict[str, Dict[str, Any]]) -> str:
    """Lay out nested results: a table of the splits, and where sentences are tagged, the mean by skill on each split.

    What metrics with a ``prefix`` gave has rows of its own, such as ``val/t35``.
    """
    groups = {name: scores for split, nested in results.items() for name, scores in _ungroup(split, nested)}
    tables = [format_table(groups, first='split')]
    rows: Dict[str, Dict[str, float]] = {}
    means: Dict[str, None] = {}
    for name, scores in groups.items():
        for skill, mean, value in _skills(scores):
            rows.setdefault(skill, {})[name] = value
            means[mean] = None
    if rows:
        rows = dict(sorted(rows.items()))
        tables.append(format_table(rows, first=f'{" or ".join(means)} by skill', columns=list(groups)))
    return '\n\n'.join(tables)


def to_json(results: Dict[str, Any]) -> str:
    """Write nested results as JSON: an undefined oIoU (there is no union) as null, arrays and tensors as lists."""

    def plain(value: Any) -> Any:
        if hasattr(value, 'tolist'):
            value = value.tolist()
        if isinstance(value, dict):
            return {key: plain(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [plain(inner) for inner in value]
        return None if _is_undefined(value) else value

    return json.dumps(plain(results), indent=2) + '\n'


def _ungroup(name: str, scores: Dict[str, Any]) -> Iterator[Tuple[str, Dict[str, Any]]]:
    """The scores of a split, and below it those of each prefix; skills stay with what they are part of."""
    prefixed = {key: value for key, value in scores.items() if isinstance(value, dict) and key != 'skill'}
    if len(prefixed) < len(scores):
        yield name, {key: value for key, value in scores.items() if key not in prefixed}
    for key, value in prefixed.items():
        yield from _ungroup(f'{name}/{key}', value)


def _columns_of(groups: Dict[str, Dict[str, Any]]) -> Sequence[str]:
    """The usual columns. If a protocol gives other scores, those that there are."""
    found = {name for scores in groups.values() for name in scores}
    others = found.intersection(ALL_COLUMNS).difference(COLUMNS)
    return [name for name in ALL_COLUMNS if name in found] if others else COLUMNS


def _skills(scores: Dict[str, Any]) -> Iterator[Tuple[str, str, float]]:
    """Each skill with the name and value of its mean; a name that has a slash was nested."""
    for name, nested in scores.get('skill', {}).items():
        for skill, scored in _ungroup(name, nested):
            yield from ((skill, mean, scored[mean]) for mean in MEANS if mean in scored)


def _is_undefined(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _cell(value: Any) -> str:
    if _is_undefined(value):
        return 'undefined'
    return str(value) if isinstance(value, int) else f'{value:.2f}'
