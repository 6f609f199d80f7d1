"""The report of a check: JSON, and Markdown whose tables fit docs/benchmarks.md."""

import json
from pathlib import Path
from typing import Any, Dict, List

from mmris.utils import write_atomically

from .tables import TABLES

JSON_FILE, MARKDOWN_FILE = 'gpu_check.json', 'gpu_check.md'
#: What may become of a part.
WAITING, PASSED, FAILED, SKIPPED = 'waiting', 'passed', 'failed', 'skipped'
_TITLES = dict(
    evaluation='Evaluation', steps='Steps', losses='Losses in mixed precision', distributed='Distributed training',
    restart='Restart', compile='Compiled steps')


def save_report(folder: Path, report: Dict[str, Any]) -> None:
    """Write both files, each whole or as it was.

    Args:
        folder (Path): Where to.
        report (dict): ``machine``, ``seconds``, ``limit_seconds``, ``brief`` and ``parts``: each with ``name``,
            ``kind``, ``status``, ``seconds``, ``reason``, ``error`` and ``rows``.
    """
    for name, text in ((JSON_FILE, json.dumps(report, indent=1)), (MARKDOWN_FILE, format_report(report))):
        with write_atomically(folder / name) as temporary:
            temporary.write_text(text + '\n', encoding='utf-8')


def format_report(report: Dict[str, Any]) -> str:
    """Lay out a report as Markdown: a summary, a table for each kind of part, then errors."""
    blocks = ['# GPU check', *_summary(report)]
    for kind, title in _TITLES.items():
        rows = [row for part in report['parts'] if part['kind'] == kind for row in part['rows']]
        if rows:
            blocks += [f'## {title}', TABLES[kind](rows, report['machine'])]
    errors = [_format_error(part['name'], error) for part in report['parts'] for error in errors_of(part)]
    if errors:
        blocks += ['## Errors', *errors]
    return '\n\n'.join(blocks)


def _summary(report: Dict[str, Any]) -> List[str]:
    machine, parts = report['machine'], report['parts']
    card = machine['card'] if machine['gpus'] < 2 else f'{machine["gpus"]} x {machine["card"]}'
    facts = [f'PyTorch {machine["torch"]}', f'Python {machine["python"]}', f'{machine["cores"]} cores']
    if machine['device'] == 'cuda':
        facts[:0] = [f'{machine["memory_gibibytes"]:.0f} GiB', f'driver {machine["driver"] or "not known"}',
                     f'CUDA {machine["cuda"]}']
    packages = ', '.join(f'{name} {version}' for name, version in machine['packages'].items() if version)
    size = 'Brief: small models on few samples, so no figure says what a GPU can do. ' if report['brief'] else ''
    counts = ', '.join(f'{sum(part["status"] == status for part in parts)} {status}'
                       for status in (PASSED, FAILED, SKIPPED))
    blocks = [f'**{card}** ({", ".join(facts)}; {packages}). {size}{counts}, in {report["seconds"]:.0f} of '
              f'{report["limit_seconds"]} seconds.']
    blocks += [line for line in (machine['peak_note'], *outcome(report)) if line]
    return blocks


def outcome(report: Dict[str, Any]) -> List[str]:
    """Which parts failed, were skipped, or were not reached: a line for each that there are."""
    lines = []
    for status, word in ((FAILED, 'Failed'), (SKIPPED, 'Skipped'), (WAITING, 'Not reached')):
        named = [f'{part["name"]} ({part["reason"]})' if part['reason'] else part['name'] for part in report['parts']
                 if part['status'] == status]
        if named:
            lines.append(f'{word}: {"; ".join(named)}.')
    return lines


def errors_of(part: Dict[str, Any]) -> List[Dict[str, Any]]:
    """The errors of a part and of its rows."""
    return [one['error'] for one in (part, *part['rows']) if one.get('error') is not None]


def _format_error(name: str, error: Dict[str, Any]) -> str:
    lines = '\n'.join(f'    {line}' for line in error['traceback'])
    return f'**{name}**: {error["type"]}\n\n{lines}'
