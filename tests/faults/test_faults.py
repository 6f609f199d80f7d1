"""Trainings that faults befall end, or go on, as the table says, and have the bits of one that nothing befell."""

import re
import time

import pytest

from tests.faults.running import Harness, end
from tests.faults.table import FAULTS

CASES = [
    pytest.param(name, processes, marks=[] if fault.quick and processes == 1 else pytest.mark.slow)
    for name, fault in FAULTS.items() for processes in fault.processes
]


@pytest.fixture(scope='module')
def harness(tmp_path_factory) -> Harness:
    return Harness(tmp_path_factory.mktemp('faults'))


@pytest.mark.parametrize('name, processes', CASES)
def test_fault(harness, name, processes):
    harness.befall(name, processes)


@pytest.mark.slow
@pytest.mark.parametrize('processes', [1, 2])
def test_a_second_training_in_the_folder(harness, processes):
    """It is refused, and the first goes on."""
    name = f'shared_{processes}'
    first = harness.start(name, processes, fault=dict(call='read', path=r'\.jpg$', file=5, seconds=12))
    try:
        lock = harness.folder / name / 'run.lock'
        deadline = time.monotonic() + 120
        while not lock.exists():
            assert first.poll() is None and time.monotonic() < deadline, harness.log(name).read_text()[-3000:]
            time.sleep(0.1)
        second = harness.run(name, processes)
        assert second.status != 0
        assert re.search(r'Another run is writing to .*: process \d+ on .*\. Wait until it ends', second.output)
        assert first.wait(timeout=240) == 0
    finally:
        end(first)
