"""Scores as nested results and as tables."""

import json
import math
from typing import Any, Dict, Sequence

from mmris.utils.tables import markdown_table

from .iou import PRECISION_THRESHOLDS

COLUMNS = ('oIoU', 'mIoU', *(f'Pr@{threshold}' for threshold in PRECISION_THRESHOLDS), 'expressions')


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


def format_table(rows: Dict[str, Dict[str, float]], *, first: str, columns: Sequence[str] = COLUMNS) -> str:
    """Lay out scores, a line each, in columns that line up and are Markdown.

    Args:
        rows (dict[str, dict[str, float]]): Scores by the line's name.
        first (str): Heading of the names.
        columns (Sequence[str]): Which scores. Defaults to all.

    Returns:
        str: The table.
    """
    cells = [[name, *(_cell(scores.get(column)) for column in columns)] for name, scores in rows.items()]
    return markdown_table([first, *columns], cells)


def format_results(results: Dict[str, Dict[str, Any]]) -> str:
    """Lay out nested results: a table of the splits, and where sentences are tagged, mIoU by skill on each split."""
    tables = [format_table(results, first='split')]
    skills = sorted({skill for scores in results.values() for skill in scores.get('skill', {})})
    if skills:
        rows = {
            skill: {split: scores['skill'].get(skill, {}).get('mIoU') for split, scores in results.items()}
            for skill in skills
        }
        tables.append(format_table(rows, first='mIoU by skill', columns=list(results)))
    return '\n\n'.join(tables)


def to_json(results: Dict[str, Any]) -> str:
    """Write nested results as JSON; what is undefined (an oIoU without any union) becomes null."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [plain(inner) for inner in value]
        return None if _is_undefined(value) else value

    return json.dumps(plain(results), indent=2) + '\n'


def _is_undefined(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _cell(value: Any) -> str:
    if _is_undefined(value):
        return 'undefined'
    return str(value) if isinstance(value, int) else f'{value:.2f}'
