"""Results as JSON, beside those of the run before, and as a table of docs."""

import re
from pathlib import Path
from typing import Any, Dict, List, Optional

from mmris.utils import write_atomically
from mmris.utils.json_files import read_json_file
from mmris.utils.tables import markdown_table

from .result import Result

# In docs/benchmarks.md, what stands between these is written by a run.
BEGIN, END = '<!-- Made by `make bench`: -->', '<!-- Until here. -->'
_TABLE = re.compile(f'{re.escape(BEGIN)}.*?{re.escape(END)}', re.DOTALL)
# By how much a ratio has to change before the comparison says so.
CHANGE = 0.1


def to_entry(result: Result, seconds: float) -> Dict[str, Any]:
    """Describe a result by values of JSON.

    Args:
        result (Result): The result.
        seconds (float): What the benchmark took.
    """
    return dict(
        title=result.title,
        ratio=result.ratio,
        spread=[min(result.ratios), max(result.ratios)],
        bound=result.bound,
        share=result.share,
        goal=result.describe_goal(),
        reached=result.reached,
        notes=result.notes,
        seconds=seconds)


def format_entries(entries: Dict[str, Dict[str, Any]]) -> str:
    """Lay out results: the ratio, its bound, and whether its goal is reached."""
    rows = [[
        entry['title'], entry['ratio'], f'{entry["spread"][0]:.2f} to {entry["spread"][1]:.2f}',
        '' if entry['bound'] is None else entry['bound'],
        '' if entry['bound'] is None else f'{entry["share"]:.0%}', entry['goal'], _verdict(entry)
    ] for entry in entries.values()]
    return markdown_table(['what', 'ratio', 'spread', 'bound', 'of it', 'goal', 'reached'], rows)


def _verdict(entry: Dict[str, Any]) -> str:
    return {True: 'yes', False: 'no', None: ''}[entry['reached']]


def compare(before: Optional[Dict[str, Any]], now: Dict[str, Any]) -> List[str]:
    """Compare with a run before.

    Args:
        before (dict, optional): What it wrote. None: there was none.
        now (dict): What this one found.

    Returns:
        list[str]: A line for each ratio that changed by a tenth or more, and one that says how many did not.
    """
    if before is None:
        return []
    lines, same = [], 0
    if before['machine'] != now['machine']:
        lines.append(f'The run before was on {before["machine"]}.')
    for name, entry in now['results'].items():
        old = before['results'].get(name)
        if old is None:
            lines.append(f'{name}: new')
        elif abs(entry['ratio'] / old['ratio'] - 1) >= CHANGE:
            lines.append(f'{name}: {old["ratio"]:.2f} before, {entry["ratio"]:.2f} now')
        else:
            same += 1
    return [*lines, f'{same} of {len(now["results"])} ratios are within {CHANGE:.0%} of the run before.']


def read_before(path: Path) -> Optional[Dict[str, Any]]:
    """Read what a run before wrote; None if there was none.

    Raises:
        ValueError: If the file is damaged.
    """
    return read_json_file(path, 'Remove it, or name another.') if path.is_file() else None


def kept_results(before: Optional[Dict[str, Any]], now: Dict[str, Any]) -> Dict[str, Dict[str, Any]]:
    """Give what a run that measures some benchmarks leaves of the others: those of the same machine and sizes.

    Args:
        before (dict, optional): What the run before wrote. None: there was none.
        now (dict): ``machine``, ``torch`` and ``brief`` of this one.
    """
    return dict(before['results']) if before is not None and all(before[key] == now[key] for key in now) else {}


def read_page(path: Path) -> str:
    """Read a page that has a table to replace: also before a run, which takes long.

    Raises:
        FileNotFoundError: If there is no page.
        ValueError: If the page has no marks, or has them twice.
    """
    page = path.read_text(encoding='utf-8')
    if len(_TABLE.findall(page)) != 1:
        raise ValueError(f'{path} must have the lines {BEGIN} and {END} once: the table is written between them.')
    return page


def write_docs(path: Path, found: Dict[str, Any]) -> None:
    """Replace the table between the marks of a page.

    Args:
        path (Path): The page.
        found (dict): What a run found.

    Raises:
        FileNotFoundError, ValueError: See :func:`read_page`.
    """
    page = read_page(path)
    table = f'{BEGIN}\n\n{found["machine"]}, PyTorch {found["torch"]}:\n\n{format_entries(found["results"])}\n\n{END}'
    with write_atomically(path) as temporary:
        temporary.write_text(_TABLE.sub(lambda _: table, page), encoding='utf-8')
