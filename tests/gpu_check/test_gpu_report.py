"""What a report says of rows that a GPU gave: peaks, shares, goals, errors."""

import json

import pytest

from mmris.commands.gpu_check import judge
from mmris.gpu_check.errors import guarded
from mmris.gpu_check.machine import describe_machine, find_peak
from mmris.gpu_check.plan import Part, plan_parts
from mmris.gpu_check.report import format_report, save_report
from mmris.names import GPU_CHECKS

H100 = dict(
    device='cuda', card='NVIDIA H100 80GB HBM3', gpus=1, memory_gibibytes=79.1, driver='580.1', torch='2.11.0',
    cuda='13.0', python='3.12.1', cores=16, packages=dict(timm='1.0.26', numpy=None), mmris='0', peak_teraflops=989.4,
    peak_note=None)
STEP = {
    'config': 'a/b', 'pass': 'plain', 'precision': 'bfloat16', 'step': 'training', 'images': 8, 'expressions': 8,
    'seconds': 0.1, 'first_seconds': 2.0, 'images_per_second': 80.0, 'peak_mebibytes': 1000.4,
    'multiply_adds': int(0.1 * 989.4e12 / 2 / 4)
}


def report(*rows: dict, kind: str = 'steps', **changes) -> dict:
    part = dict(name='one', kind=kind, status='passed', seconds=1.0, reason=None, error=None, rows=list(rows))
    return dict(machine=H100, brief=False, seconds=3.0, limit_seconds=480, parts=[dict(part, **changes)])


@pytest.mark.parametrize('card, peak', [
    ('NVIDIA H100 80GB HBM3', 989.4),
    ('NVIDIA H100 PCIe', 756),
    ('NVIDIA H200', 989.4),
    ('NVIDIA A100-SXM4-40GB', 312),
    ('NVIDIA L40S', 362),
    ('NVIDIA GeForce RTX 4090', 165.2),
    ('NVIDIA H20', None),
    ('NVIDIA L40', None),
    ('NVIDIA A10G', None),
    ('NVIDIA GeForce RTX 4090 D', None),
])
def test_peaks(card, peak):
    assert find_peak(card) == peak


class TestTables:

    def test_a_step_at_a_quarter_of_the_peak(self):
        text = format_report(report(STEP))
        row = [cell.strip() for cell in text.partition('## Steps')[2].splitlines()[4].split('|')[1:-1]]
        assert row == ['a/b', 'bfloat16', 'training', '8', '8', '0.1000', '80.00', '1,000', '247.35', '25.0%', '2.00']
        assert 'NVIDIA H100 80GB HBM3** (79 GiB, driver 580.1, CUDA 13.0, PyTorch 2.11.0, Python 3.12.1, 16 cores; ' \
               'timm 1.0.26). 1 passed, 0 failed, 0 skipped, in 3 of 480 seconds.' in text

    def test_passes_are_told_apart(self):
        text = format_report(report(STEP, {**STEP, 'pass': 'checkpointing'}, {**STEP, 'pass': 'compiled'}))
        assert '| bfloat16 + checkpointing |' in text and ' bfloat16 + compile |' in text

    def test_an_evaluation_beside_goal_and_bound(self):
        row = dict(
            config='a/b', precision='bfloat16', images=1500, expressions=10834, wall_seconds=30.0, model_seconds=20.0,
            goal_seconds=20, multiply_adds=int(3 * 989.4e12 / 2), peak_mebibytes=5000.0)
        text = format_report(report(row, kind='evaluation'))
        cells = [cell.strip() for cell in text.partition('## Evaluation')[2].splitlines()[4].split('|')[1:-1]]
        assert cells == ['a/b', 'bfloat16', '1,500', '10,834', '30.00', '20.00', '1.50', '20', '3.00', '5,000']

    def test_a_loss_that_is_not_finite(self):
        row = dict(config='a/b', losses=dict(float32=1.5), difference={}, problem='the loss in float16 is inf')
        text = format_report(report(row, kind='losses'))
        cells = [cell.strip() for cell in text.partition('## Losses')[2].splitlines()[4].split('|')[1:-1]]
        assert cells == ['a/b', '1.50000', '-', '-', '-', '-']
        assert '- a/b: the loss in float16 is inf' in text

    def test_an_unknown_card(self, monkeypatch):
        machine = describe_machine(on_gpu=False, peak=100.0)
        assert machine['peak_teraflops'] is None and 'ran on the processor' in machine['peak_note']
        text = format_report(dict(report(STEP), machine=dict(H100, peak_teraflops=None, peak_note='No peak. Why.')))
        assert 'No peak. Why.' in text and '25.0%' not in text

    def test_reasons_for_what_is_left_out_once(self):
        left = {'config': 'a/b', 'pass': 'plain', 'precision': 'float16', 'step': 'training', 'left_out': 'no GPU'}
        assert format_report(report(STEP, left, left)).count('no GPU') == 1


class TestWhatBecomesOfAPart:

    PART = Part('one', 'steps', 10, 60)

    @pytest.mark.parametrize('changes, limit, stopped, status, reason', [
        ({}, 60, False, 'passed', None),
        (dict(rows=[STEP, dict(error=dict(type='OutOfMemoryError'))]), 60, False, 'failed', 'OutOfMemoryError'),
        (dict(rows=[dict(problem='2 of 9 tensors differ')]), 60, False, 'failed', '2 of 9 tensors differ'),
        (dict(error=dict(type='ProcessDied')), 60, False, 'failed', 'ProcessDied'),
        (dict(rows=[STEP]), 60, True, 'failed', 'stopped after 60 s, with 1 rows done'),
        # The check's time was over before the part's.
        (dict(rows=[STEP]), 20, True, 'skipped', 'stopped after 20 s, with 1 rows done'),
    ])
    def test_judge(self, changes, limit, stopped, status, reason):
        entry = dict(rows=[], error=None, **{}) | changes
        judge(entry, self.PART, limit, stopped=stopped)
        assert (entry['status'], entry['reason']) == (status, reason)


def test_an_error_is_a_row_with_where_it_was():
    def fail() -> dict:
        raise ValueError('too large')

    row = guarded(dict(config='a/b'), fail)
    assert row['config'] == 'a/b' and row['error']['type'] == 'ValueError' and row['error']['message'] == 'too large'
    assert row['error']['traceback'][-1] == 'ValueError: too large'
    text = format_report(report(row, status='failed', reason='ValueError'))
    assert '- a/b: ValueError: too large' in text and '    ValueError: too large' in text
    assert 'Failed: one (ValueError).' in text


class TestPlan:

    @pytest.mark.parametrize('brief', [False, True])
    def test_the_most_important_first(self, brief):
        kinds = [part.kind for part in plan_parts(brief=brief, on_gpu=True)]
        assert list(dict.fromkeys(kinds)) == list(GPU_CHECKS)
        assert kinds.count('steps') == 7 and kinds.count('compile') == (1 if brief else 7)

    def test_full_size_ends_in_eight_minutes_without_the_compiler(self):
        parts = plan_parts(brief=False, on_gpu=True)
        assert sum(part.least_seconds for part in parts if part.kind != 'compile') < 480

    def test_a_choice(self):
        parts = plan_parts(brief=False, on_gpu=True, only=['restart', 'evaluation'])
        assert [part.name for part in parts] == ['evaluation bfloat16', 'evaluation float32', 'restart']

    def test_settings_travel_as_json(self):
        for part in plan_parts(brief=True, on_gpu=False):
            assert json.loads(json.dumps(part.settings)) == part.settings


def test_files_are_whole(tmp_path):
    save_report(tmp_path, report(STEP))
    assert json.loads((tmp_path / 'gpu_check.json').read_text())['parts'][0]['rows'] == [STEP]
    assert (tmp_path / 'gpu_check.md').read_text().startswith('# GPU check\n')
