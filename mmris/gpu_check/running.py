"""Runs a part in a process of its own, which may hang, be killed or lose its GPU."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, Dict, List

from .plan import Part

# How often new rows are looked for, and how long processes may take to end.
_POLL_SECONDS, _END_SECONDS = 0.2, 10.0
_LOG_LINES = 12


def run_part(part: Part, *, seconds: float, on_gpu: bool, log: Path,
             on_rows: Callable[[List[dict]], None]) -> Dict[str, Any]:
    """Run a part.

    Args:
        part (Part): The part.
        seconds (float): When it is stopped.
        on_gpu (bool): If false, no GPU is visible to it.
        log (Path): Where its output goes.
        on_rows (Callable): Called with all rows so far, whenever there are new ones.

    Returns:
        dict: ``rows``; ``error`` (None, or its ``type``, ``message`` and ``traceback``); ``stopped``, whether the time
        was over.
    """
    with tempfile.TemporaryDirectory(prefix='mmris-gpu-check-') as folder, open(log, 'w', encoding='utf-8') as output:
        request, result = Path(folder) / 'request.json', Path(folder) / 'result.json'
        request.write_text(json.dumps(dict(kind=part.kind, settings=part.settings)), encoding='utf-8')
        # A session of its own, so that all that it starts can be ended with it.
        process = subprocess.Popen([sys.executable, '-m', 'mmris.gpu_check.worker', str(request), str(result)],
                                   stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                   env=_environment(on_gpu), start_new_session=True)
        try:
            found = _watch(process, result, seconds, on_rows)
        finally:
            _end(process)
    if found['error'] is None and not found['stopped'] and process.returncode:
        found['error'] = dict(
            type='ProcessDied',
            message=f'The process of the part ended with status {process.returncode}. Its output: {log}',
            traceback=log.read_text(encoding='utf-8', errors='replace').splitlines()[-_LOG_LINES:])
    return found


def _environment(on_gpu: bool) -> Dict[str, str]:
    return dict(os.environ) if on_gpu else dict(os.environ, CUDA_VISIBLE_DEVICES='')


def _watch(process: subprocess.Popen, result: Path, seconds: float,
           on_rows: Callable[[List[dict]], None]) -> Dict[str, Any]:
    """Wait for the end of a process, or of its time, and read what it writes."""
    end, count = time.monotonic() + seconds, 0
    while True:
        running = process.poll() is None
        stopped = running and time.monotonic() >= end
        found = json.loads(result.read_text(encoding='utf-8')) if result.is_file() else dict(rows=[], error=None)
        if len(found['rows']) > count:
            count = len(found['rows'])
            on_rows(found['rows'])
        if stopped or not running:
            return dict(found, stopped=stopped)
        time.sleep(_POLL_SECONDS)


def _end(process: subprocess.Popen) -> None:
    """End a process and all of its session that still run: politely first, since launchers end their own."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            continue
