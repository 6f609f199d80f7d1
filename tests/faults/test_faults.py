"""Trainings that faults befall end, or go on, as the table says, and have the bits of one that nothing befell."""

import json
import re
import sys
import time
from typing import Optional

import pytest

from mmris.checkpoints import find_checkpoints
from tests.faults.running import Harness, end
from tests.faults.table import FAULTS

CASES = [(name, 1) for name, fault in FAULTS.items() if fault.quick]
# The rest is tried by `python -m tests.faults`, in an hour.
CASES += [
    pytest.param(name, processes, marks=pytest.mark.slow) for name, fault in FAULTS.items() for processes in fault.tried
]


@pytest.fixture(scope='module')
def harness(tmp_path_factory) -> Harness:
    return Harness(tmp_path_factory.mktemp('faults'))


@pytest.mark.parametrize('name, processes', CASES)
def test_fault(harness, name, processes):
    harness.befall(name, processes)


@pytest.mark.slow
@pytest.mark.parametrize('processes', [2])
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


@pytest.mark.slow
def test_a_stopped_evaluation(harness):
    """SIGTERM in the second of three splits: the first is not evaluated again, and all have the scores of one run."""
    checkpoint = find_checkpoints(harness.whole(1))[0]

    def evaluate(name: str, fault: Optional[dict] = None) -> tuple:
        out = harness.folder / f'{name}.json'
        command = [sys.executable, 'tools/test.py', harness.config, checkpoint, '--data-root', harness.folder / 'set',
                   '--split', 'val', '--controls', 'exchanged', 'empty', '--out', out, '--work-dir', harness.folder]
        return out, harness.wait(name, lambda: harness.launch(command, name, fault))

    whole, _ = evaluate('whole_scores')
    out, stopped = evaluate('scores', dict(at='evaluation', step=2, do='signal_self', signal='SIGTERM'))
    assert stopped.status == 143 and not out.exists()
    assert f'Stopped by SIGTERM. Run the same command to continue: splits that are finished are kept beside {out}.' in \
        stopped.output
    _, resumed = evaluate('scores')
    assert 'val was evaluated before the last stop, and is not evaluated again.' in resumed.output
    assert 'Evaluating val.' not in resumed.output and 'Evaluating val_exchanged.' in resumed.output
    assert json.loads(out.read_text()) == json.loads(whole.read_text())
    assert not list(harness.folder.glob('*.part'))
