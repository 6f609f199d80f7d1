"""The check of a GPU, rehearsed on a processor as a user starts it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from mmris.commands import gpu_check
from mmris.gpu_check.plan import Part
from mmris.names import GPU_CHECKS
from tests.conftest import ROOT, run_command

TINY = 'cm_masksd/vit-tiny_shaperef'
REHEARSAL = ('gpu_check', '--device', 'cpu', '--brief')


def read(folder: Path) -> dict:
    return json.loads((folder / 'gpu_check.json').read_text())


@pytest.fixture
def rehearse(tmp_path, monkeypatch):
    """Rehearse parts of one's own; the exit status and the report."""

    def run(*parts: Part) -> tuple:
        monkeypatch.setattr(gpu_check, 'plan_parts', lambda **_: list(parts))
        status = run_command(*REHEARSAL, '--out', tmp_path)
        return status, read(tmp_path), (tmp_path / 'gpu_check.md').read_text()

    return run


class TestParts:

    def test_one_that_fails_is_listed_and_the_others_are_there(self, rehearse, capsys):
        status, report, text = rehearse(
            Part('good', 'losses', 1, 100, dict(configs=[TINY, 'no/such_config'])),
            Part('wrong', 'losses', 1, 100, dict(no_such_setting=1)),
            Part('late', 'losses', 1e9, 100, dict(configs=[TINY])))
        assert status == 1
        good, wrong, late = report['parts']
        assert [one['status'] for one in report['parts']] == ['failed', 'failed', 'skipped']
        # The row before the broken one is kept.
        losses = good['rows'][0]['losses']
        assert set(losses) == {'float32', 'bfloat16', 'float16'} and all(map(float, losses.values()))
        assert max(good['rows'][0]['difference'].values()) < 0.05
        assert good['rows'][1]['error']['type'] == 'FileNotFoundError'
        assert 'no_such_setting' in wrong['error']['message'] and wrong['error']['traceback']
        assert 'Failed: good (FileNotFoundError); wrong (TypeError).' in text
        assert 'Skipped: late (' in text and 's were left, and it takes 1000000000 s)' in text
        assert f'{losses["bfloat16"]:.5f}' in text and 'There is no config' in text
        assert f'{TINY}: good' in capsys.readouterr().out and report['seconds'] > 0

    def test_one_that_hangs_is_stopped(self, rehearse):
        status, report, text = rehearse(Part('slow', 'losses', 1, 2, dict(configs=[TINY])))
        assert status == 1 and report['parts'][0]['status'] == 'failed'
        assert 'Failed: slow (stopped after 2 s, with 0 rows done).' in text

    @pytest.mark.slow
    def test_all_good(self, rehearse):
        status, report, text = rehearse(Part('restart', 'restart', 1, 200, dict(config=TINY)))
        assert status == 0 and '1 passed, 0 failed, 0 skipped' in text
        row = report['parts'][0]['rows'][0]
        assert row['tensors'] > 100 and row['different'] == 0 and row['largest_difference'] == 0


# The first one stands for both in `make test`.
@pytest.mark.parametrize('end, status', [(signal.SIGTERM, 143),
                                         pytest.param(signal.SIGKILL, -9, marks=pytest.mark.slow)])
def test_a_check_that_is_cut_leaves_what_it_measured(tmp_path, end, status):
    process = subprocess.Popen([sys.executable, '-m', 'mmris', *REHEARSAL, '--out', str(tmp_path), '--only', 'losses'],
                               cwd=ROOT, env=dict(os.environ, OMP_NUM_THREADS='1'), stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 100
    while not (tmp_path / 'gpu_check.json').is_file() or not read(tmp_path)['parts'][0]['rows']:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.2)
    children = Path(f'/proc/{process.pid}/task/{process.pid}/children').read_text().split()
    process.send_signal(end)
    process.communicate(timeout=60)
    assert process.returncode == status
    report = read(tmp_path)
    assert report['parts'][0]['status'] == 'waiting' and report['parts'][0]['rows'][0]['losses']
    assert 'Not reached: losses.' in (tmp_path / 'gpu_check.md').read_text()
    if end == signal.SIGTERM:
        assert children and not any(Path(f'/proc/{child}').exists() for child in children)
    else:
        for child in children:
            os.killpg(int(child), signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.parametrize('kinds', [('evaluation', 'losses'), ('distributed', 'restart')])
def test_rehearsal(tmp_path, kinds):
    assert run_command(*REHEARSAL, '--out', tmp_path, '--only', *kinds) == 0
    report = read(tmp_path)
    assert {part['kind'] for part in report['parts']} == set(kinds)
    rows = {part['name']: part['rows'] for part in report['parts']}
    if 'evaluation' in kinds:
        for precision in ('bfloat16', 'float32'):
            row = rows[f'evaluation {precision}'][0]
            assert (row['images'], row['expressions'], row['precision']) == (12, 87, precision)
            assert 0 < row['model_seconds'] < row['wall_seconds'] and row['multiply_adds'] > 1e8
    else:
        assert rows['distributed'][0]['group'] == 2 and rows['distributed'][0]['same_weights']
    text = (tmp_path / 'gpu_check.md').read_text()
    assert 'Brief: small models on few samples' in text and 'Shares of the peak are left out' in text


class TestArguments:

    def test_no_gpu(self, monkeypatch, tmp_path):
        monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
        with pytest.raises(ValueError, match='gpu_check needs a GPU, and none is visible. .*--device cpu --brief'):
            run_command('gpu_check', '--out', tmp_path)

    def test_a_folder_that_cannot_be_written(self, tmp_path):
        (tmp_path / 'file').write_text('')
        with pytest.raises(NotADirectoryError, match='file cannot be written: .* is a file, no folder'):
            run_command(*REHEARSAL, '--out', tmp_path / 'file')

    @pytest.mark.parametrize('given, message', [
        (('--only', 'speed'), "invalid choice: 'speed'"),
        (('--peak', '0'), 'a number above 0 is needed, but got 0'),
        (('--peak', 'inf'), 'a number above 0 is needed, but got inf'),
        (('--limit-seconds', '0'), 'an integer of at least 1 is needed, but got 0'),
    ])
    def test_wrong_values(self, capsys, given, message):
        with pytest.raises(SystemExit):
            run_command('gpu_check', *given)
        assert message in capsys.readouterr().err

    def test_a_check_without_time_skips_all(self, tmp_path):
        assert run_command(*REHEARSAL, '--out', tmp_path, '--limit-seconds', 1) == 0
        report = read(tmp_path)
        assert {part['kind'] for part in report['parts']} == set(GPU_CHECKS)
        assert all(part['status'] == 'skipped' for part in report['parts'])
