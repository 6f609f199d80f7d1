"""Memory that a process keeps for its next arrays."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from mmris.utils.memory import keep_freed_memory
from tests.conftest import ROOT

pytestmark = pytest.mark.skipif(sys.platform != 'linux', reason='another C library')

MEBIBYTES = 100


def pages_cleared(keep, **environment):
    """Whether memory is kept, and the pages that the system clears for an array like one that was freed."""
    code = ('import resource\n'
            'import numpy as np\n'
            'from mmris.utils.memory import keep_freed_memory\n'
            f'kept = keep_freed_memory() if {keep} else False\n'
            'for _ in range(2):\n'
            '    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n'
            f'    array = np.ones({MEBIBYTES} * 2**20, np.uint8)\n'
            '    del array\n'
            'print(int(kept), resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)')
    allocator = ('GLIBC_TUNABLES', 'MALLOC_MMAP_THRESHOLD_', 'MALLOC_TRIM_THRESHOLD_')
    inherited = {name: value for name, value in os.environ.items() if name not in allocator}
    done = subprocess.run([sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True, check=True,
                          env=dict(inherited, **environment))
    kept, pages = map(int, done.stdout.split())
    return bool(kept), pages


def test_the_next_array_takes_its_pages():
    kept, pages = pages_cleared(True)
    assert kept and pages < 10
    # The control: huge pages, where the system gives them, are 512 of the others.
    assert pages_cleared(False)[1] >= MEBIBYTES // 2


def test_what_the_user_chose_stays():
    kept, pages = pages_cleared(True, MALLOC_MMAP_THRESHOLD_='65536')
    assert not kept and pages >= MEBIBYTES // 2


def test_glibc_before_2_35_is_asked_for_the_most_that_it_takes(monkeypatch):
    asked = []

    def mallopt(parameter, value):
        asked.append((parameter, value))
        return int(value <= 2**25)

    for name in ('GLIBC_TUNABLES', 'MALLOC_MMAP_THRESHOLD_', 'MALLOC_TRIM_THRESHOLD_'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr('ctypes.CDLL', lambda name: SimpleNamespace(mallopt=mallopt))
    assert keep_freed_memory()
    assert asked == [(-3, 2**30), (-3, 2**25), (-1, -1)]
