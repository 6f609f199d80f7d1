"""How many processors there are for us."""

import os
import time
from pathlib import Path
from typing import Dict

_QUOTA, _STATISTICS = Path('/sys/fs/cgroup/cpu.max'), Path('/proc/stat')
_OBSERVED_SECONDS = 1.0
# How often a thread of PyTorch looks for work before it sleeps. By default it looks on for tens of milliseconds, on a
# processor that another program, or the thread that it waits for, could have.
_LOOKS = '10000'


def wait_shortly() -> None:
    """Let PyTorch's threads sleep soon when they wait for one another, unless the environment says how they wait.

    To be called before PyTorch is imported: its threads read the environment then.
    """
    if 'OMP_WAIT_POLICY' not in os.environ:
        os.environ.setdefault('GOMP_SPINCOUNT', _LOOKS)


def _affinity() -> set:
    return os.sched_getaffinity(0) if hasattr(os, 'sched_getaffinity') else set(range(os.cpu_count() or 1))


def usable_cpus() -> int:
    """Processors that this process may use: by its affinity, and by the quota of its container."""
    count = len(_affinity())
    if _QUOTA.is_file():
        limit, period = _QUOTA.read_text().split()
        if limit != 'max':
            count = min(count, max(1, int(limit) // int(period)))
    return count


def free_cpus() -> int:
    """Usable processors that other processes leave idle, observed for a second; at least one.

    More threads than free processors are many times slower than fewer, since each waits for all.
    """
    if not _STATISTICS.is_file():
        return usable_cpus()
    before = _idle_ticks()
    time.sleep(_OBSERVED_SECONDS)
    after = _idle_ticks()
    ticks = os.sysconf('SC_CLK_TCK') * _OBSERVED_SECONDS
    idle = sum(after[cpu] - before[cpu] for cpu in _affinity() if cpu in before) / ticks
    return max(1, min(usable_cpus(), round(idle)))


def _idle_ticks() -> Dict[int, int]:
    ticks = {}
    for line in _STATISTICS.read_text().splitlines():
        name, *values = line.split()
        if name.startswith('cpu') and name != 'cpu':
            ticks[int(name[3:])] = int(values[3]) + int(values[4])
    return ticks
