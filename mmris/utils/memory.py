"""Memory: what a process holds and keeps, and reading much data without the garbage collector in between."""

import ctypes
import gc
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Dict, Iterator

_MEBI = 2**20
# Of `mallopt`, in <malloc.h>: how much free memory at the end goes back to the system (-1: none), and from what size
# an array has pages of its own, which go back when it is freed.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
# What is asked for, and the most that glibc takes before 2.35.
_LARGEST_KEPT = (2**30, 2**25)
# What a user sets to decide on the same.
_ALLOCATOR_VARIABLES = ('GLIBC_TUNABLES', 'MALLOC_MMAP_THRESHOLD_', 'MALLOC_TRIM_THRESHOLD_')


@contextmanager
def gc_paused() -> Iterator[None]:
    """Pause the garbage collector, which otherwise walks again and again through what is being read.

    For data without cycles: millions of lists and dicts are read in two thirds of the time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def keep_freed_memory() -> bool:
    """Let this process keep the memory that it frees, for its next arrays.

    On a processor the activations of each step are allocated anew. By default the C library gives large arrays back
    to the system, which must then clear each page once more: a tenth of the time of a training step, where pages are
    dear. The process holds its peak until it ends, and that is higher by what lies between arrays.

    Returns:
        bool: Whether it does: not where the environment decides on the same, or the C library is not glibc.
    """
    if sys.platform != 'linux' or any(name in os.environ for name in _ALLOCATOR_VARIABLES):
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, 'mallopt'):
        return False
    kept = any(library.mallopt(_MMAP_THRESHOLD, size) for size in _LARGEST_KEPT)
    return kept and bool(library.mallopt(_TRIM_THRESHOLD, -1))


def process_memory() -> Dict[str, float]:
    """What this process holds, in MiB. Linux alone tells.

    Returns:
        dict[str, float]: ``resident``, with what is shared; ``private``, what no other process shares and what would
        be free without this one; ``peak``, the most that was ever resident.

    Raises:
        RuntimeError: If the system does not tell.
    """
    rollup, status = Path('/proc/self/smaps_rollup'), Path('/proc/self/status')
    if not rollup.is_file():
        raise RuntimeError(f'{rollup} is missing: memory by its sharing is measured on Linux alone.')
    sizes = {**_sizes(rollup), **_sizes(status)}
    return dict(
        resident=sizes['Rss'],
        private=sizes['Private_Clean'] + sizes['Private_Dirty'],
        peak=sizes['VmHWM'])


def _sizes(path: Path) -> Dict[str, float]:
    fields = (line.split() for line in path.read_text().splitlines())
    return {one[0].rstrip(':'): int(one[1]) * 1024 / _MEBI for one in fields if len(one) == 3 and one[2] == 'kB'}
