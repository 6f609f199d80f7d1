"""The work of ``mmris gpu_check``."""

import argparse
import re
import signal
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

import torch

from mmris.gpu_check.machine import describe_machine
from mmris.gpu_check.plan import Part, plan_parts
from mmris.gpu_check.report import (
    FAILED,
    MARKDOWN_FILE,
    PASSED,
    SKIPPED,
    WAITING,
    errors_of,
    outcome,
    save_report,
)
from mmris.gpu_check.running import run_part
from mmris.gpu_check.tables import describe_row
from mmris.utils.configs import check_output


def main(options: argparse.Namespace) -> int:
    on_gpu = options.device == 'cuda'
    if on_gpu and not torch.cuda.is_available():
        raise ValueError('gpu_check needs a GPU, and none is visible. `mmris doctor` says why a GPU is not used; '
                         '`mmris gpu_check --device cpu --brief` rehearses the check without one.')
    folder = Path(options.out)
    check_output(folder, folder=True)
    start = time.monotonic()
    parts = plan_parts(brief=options.brief, on_gpu=on_gpu, only=options.only)
    report = dict(
        machine=describe_machine(on_gpu=on_gpu, peak=options.peak), brief=options.brief,
        limit_seconds=options.limit_seconds, seconds=0.0, parts=[_entry(part) for part in parts])
    print(f'{report["machine"]["card"]}: {len(parts)} parts, at most {options.limit_seconds} seconds', flush=True)

    def save() -> None:
        report['seconds'] = time.monotonic() - start
        save_report(folder, report)

    save()
    (folder / 'logs').mkdir(exist_ok=True)
    with ending_by_exit():
        for part, entry in zip(parts, report['parts']):
            check_part(part, entry, folder, on_gpu, options.limit_seconds - (time.monotonic() - start), save)
            save()
    print('\n'.join([*outcome(report), f'The report: {folder / MARKDOWN_FILE}']))
    return 1 if any(entry['status'] == FAILED for entry in report['parts']) else 0


@contextmanager
def ending_by_exit() -> Iterator[None]:
    """Within the block, a check that is ended from outside still ends its part, which would keep the GPU."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _entry(part: Part) -> Dict[str, Any]:
    return dict(name=part.name, kind=part.kind, status=WAITING, seconds=0.0, reason=None, error=None, rows=[])


def check_part(part: Part, entry: Dict[str, Any], folder: Path, on_gpu: bool, left: float,
               save: Callable[[], None]) -> None:
    """Run a part if there is time left for it, and write down in its entry what becomes of it.

    Args:
        part (Part): The part.
        entry (dict): Its entry in the report.
        folder (Path): The report's.
        on_gpu (bool): Whether it runs on the GPU.
        left (float): Seconds that are left of the whole check.
        save (Callable): Called when the report has new rows.
    """
    if left < part.least_seconds:
        entry.update(status=SKIPPED, reason=f'{max(left, 0):.0f} s were left, and it takes {part.least_seconds:.0f} s')
        print(f'{part.name}: skipped, {entry["reason"]}', flush=True)
        return
    limit, start = min(part.most_seconds, left), time.monotonic()

    def take(rows: List[dict]) -> None:
        for row in rows[len(entry['rows']):]:
            print(f'  {describe_row(row)}', flush=True)
        entry.update(rows=rows, seconds=time.monotonic() - start)
        save()

    log = folder / 'logs' / f'{re.sub("[^a-z0-9]+", "-", part.name)}.log'
    found = run_part(part, seconds=limit, on_gpu=on_gpu, log=log, on_rows=take)
    entry.update(rows=found['rows'], error=found['error'], seconds=time.monotonic() - start)
    judge(entry, part, limit, stopped=found['stopped'])
    reason = f' ({entry["reason"]})' if entry['reason'] else ''
    print(f'{part.name}: {entry["status"]} in {entry["seconds"]:.0f} s{reason}', flush=True)


def judge(entry: Dict[str, Any], part: Part, limit: float, *, stopped: bool) -> None:
    """Decide from what a part left whether it passed, and why not.

    Args:
        entry (dict): The part's, with ``rows`` and ``error``. Gets ``status`` and ``reason``.
        part (Part): The part.
        limit (float): Seconds after which it was to be stopped.
        stopped (bool): Whether it was.
    """
    errors, problems = errors_of(entry), [row['problem'] for row in entry['rows'] if 'problem' in row]
    reasons = [f'{error["type"]}' for error in errors] + problems
    if stopped:
        reasons.append(f'stopped after {limit:.0f} s, with {len(entry["rows"])} rows done')
    # Stopped at its own limit it may hang; at the check's there was no time for it.
    failed = errors or problems or (stopped and limit >= part.most_seconds)
    status = FAILED if failed else SKIPPED if stopped else PASSED
    entry.update(status=status, reason='; '.join(dict.fromkeys(reasons)) or None)
