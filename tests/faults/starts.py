"""Start a small training of one epoch again and again, and look for one that stands still.

    python -m tests.faults.starts --count 300 [--processes 2]

If no step ends for a minute, each process of it writes what its threads are doing (by the fault handler's signal), and
the training is killed. The output of such a start is kept.
"""

import argparse
import os
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Optional

from tests.faults.running import Harness, end, family

STANDS_STILL, LOOKS = 60, 0.5


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--count', type=int, default=300)
    parser.add_argument('--processes', type=int, default=2)
    parser.add_argument('--keep', type=Path, default=Path('work_dirs/starts'), help='where output of failures goes')
    arguments = parser.parse_args()
    seconds, failures = [], 0
    with tempfile.TemporaryDirectory(prefix='mmris-starts-') as folder:
        harness = Harness(Path(folder))
        for number in range(1, arguments.count + 1):
            begun, name = time.monotonic(), f'start_{number}'
            problem = watch(harness, name, arguments.processes)
            seconds.append(time.monotonic() - begun)
            print(f'{number}: {problem or "ended"} after {seconds[-1]:.1f} s', flush=True)
            if problem:
                failures += 1
                arguments.keep.mkdir(parents=True, exist_ok=True)
                (arguments.keep / f'{name}.log').write_text(harness.log(name).read_text())
    print(f'{arguments.count} starts, {failures} of them failed or stood still; {statistics.mean(seconds):.1f} s each')
    return 1 if failures else 0


def watch(harness: Harness, name: str, processes: int) -> Optional[str]:
    """Run a training; what is wrong with it."""
    process = harness.start(name, processes, workers=2, watchdog=60, epochs=1)
    log, size, since = harness.log(name), 0, time.monotonic()
    try:
        while process.poll() is None:
            time.sleep(LOOKS)
            if log.stat().st_size != size:
                size, since = log.stat().st_size, time.monotonic()
            elif time.monotonic() - since > STANDS_STILL:
                dump_stacks(process)
                return 'stood still'
        return f'status {process.returncode}' if process.returncode else None
    finally:
        end(process)
        for folder in (name, f'{name}_set'):
            shutil.rmtree(harness.folder / folder, ignore_errors=True)


def dump_stacks(process: subprocess.Popen) -> None:
    """Have every process of a training write what its threads are doing."""
    members = family(process.pid)
    for one in members:
        if handles(one, signal.SIGABRT):
            # They are halted first, so that none ends because another has.
            os.kill(one, signal.SIGSTOP)
    for one in reversed(members):
        if handles(one, signal.SIGABRT):
            os.kill(one, signal.SIGABRT)
            os.kill(one, signal.SIGCONT)
            time.sleep(1)


def handles(process: int, number: int) -> bool:
    """Whether a process has a handler for a signal, such as Python's fault handler."""
    try:
        caught = next(line for line in Path(f'/proc/{process}/status').read_text().splitlines()
                      if line.startswith('SigCgt'))
    except (OSError, StopIteration):
        return False
    return bool(int(caught.split()[1], 16) & 1 << (number - 1))


if __name__ == '__main__':
    raise SystemExit(main())
