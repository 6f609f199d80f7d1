"""What trainings logged, over restarts."""

import json
from pathlib import Path

import pytest

from mmris.utils.training_log import read_training_log, summarise_log


def write_start(work_dir: Path, name: str, rows: list, torn: str = '') -> Path:
    """The scalars of one start, as MMEngine's LocalVisBackend writes them."""
    path = work_dir / name / 'vis_data' / 'scalars.json'
    path.parent.mkdir(parents=True)
    path.write_text(''.join(json.dumps(row) + '\n' for row in rows) + torn)
    return path


def step(iteration: int, loss: float, epoch: int = None, **more) -> dict:
    row = dict(lr=0.1, loss=loss, loss_bce=loss / 2, time=0.5, data_time=0.1, iter=iteration, step=iteration, **more)
    return row if epoch is None else dict(row, epoch=epoch)


def score(step: int, value: float) -> dict:
    return dict(mIoU=value, oIoU=value + 1, expressions=9, time=7.0, data_time=7.0, step=step)


def test_a_start_replaces_what_it_did_again(tmp_path):
    write_start(tmp_path, '20260101_000000', [
        step(10, 5.0, 1), step(20, 4.0, 1), score(1, 30.0), step(30, 3.0, 2), step(40, 2.0, 2), score(2, 40.0),
        step(50, 1.0, 3)
    ])
    # Resumed from the end of the first epoch, with another interval of logging, and killed while it wrote.
    write_start(tmp_path, '20260102_000000', [step(25, 9.0, 2), step(35, 8.0, 2), step(40, 7.0, 2), score(2, 50.0)],
                  torn='{"lr": 0.1, "lo')
    log = read_training_log(tmp_path)
    assert [(row['iter'], row['loss']) for row in log.training] == [(10, 5), (20, 4), (25, 9), (35, 8), (40, 7)]
    assert [(row['iter'], row['epoch'], row['mIoU']) for row in log.validation] == [(20, 1, 30), (40, 2, 50)]


def test_a_validation_that_a_restart_owed_keeps_its_place(tmp_path):
    write_start(tmp_path, '1', [step(10, 5.0, 1), step(20, 4.0, 1)])
    write_start(tmp_path, '2', [score(1, 30.0), step(30, 3.0, 2)])
    log = read_training_log(tmp_path)
    assert [(row['iter'], row['epoch']) for row in log.validation] == [(20, 1)]
    assert [row['iter'] for row in log.training] == [10, 20, 30]


def test_validations_by_step(tmp_path):
    write_start(tmp_path, '1', [step(50, 5.0), score(75, 30.0), step(100, 4.0), score(150, 20.0)])
    log = read_training_log(tmp_path)
    assert [row['iter'] for row in log.validation] == [75, 150] and 'epoch' not in log.validation[0]
    assert summarise_log(log)['metrics']['mIoU'] == dict(last=20.0, last_at='step 150', best=30.0, best_at='step 75')


def test_series_and_kinds(tmp_path):
    write_start(tmp_path, '1', [step(10, 5.0, 1), step(20, 4.0, 1), score(1, 30.0)])
    log = read_training_log(tmp_path)
    assert log.losses == ['loss', 'loss_bce'] and log.metrics == ['mIoU', 'oIoU']
    # Times are logged in both, and training's are meant.
    assert [part.tolist() for part in log.series('time')] == [[10, 20], [0.5, 0.5]]
    assert [part.tolist() for part in log.series('mIoU')] == [[20], [30]]
    assert [part.tolist() for part in log.series('grad_norm')] == [[], []]


def test_what_distillation_branches_selected(tmp_path):
    shares = dict(target_share_lmvsd=0.2, chance_lmvsd=0.5)
    write_start(tmp_path, '1', [step(10, 5.0, 1), step(20, 4.0, 1, **shares, target_share_other=0.3)])
    log = read_training_log(tmp_path)
    assert log.selecting_branches == ['lmvsd', 'other'] and log.losses == ['loss', 'loss_bce'] and not log.metrics
    assert summarise_log(log)['target_shares'] == dict(
        lmvsd=dict(target_share=0.2, chance=0.5), other=dict(target_share=0.3, chance=None))


def test_names_with_a_hierarchy(tmp_path):
    write_start(tmp_path, '1', [{'train/loss': 1.0, 'iter': 5, 'step': 5, 'epoch': 1}, {'val/mIoU': 2.0, 'step': 1}])
    log = read_training_log(tmp_path)
    assert log.losses == ['loss'] and log.metrics == ['mIoU']


def test_summary(tmp_path):
    write_start(tmp_path, '1', [
        step(10, 5.0, 1, memory=300), step(20, 4.0, 1, memory=200), score(1, 30.0), step(30, 3.0, 2), score(2, 20.0)
    ])
    summary = summarise_log(read_training_log(tmp_path))
    assert summary['steps'] == 30 and summary['epochs'] == 2 and summary['memory_megabytes'] == 300
    assert summary['losses'] == dict(loss=3.0, loss_bce=1.5)
    assert summary['seconds_per_step'] == 0.5 and summary['seconds_of_data'] == pytest.approx(0.1)
    assert summary['metrics']['oIoU'] == dict(last=21.0, last_at='epoch 2', best=31.0, best_at='epoch 1')


def test_an_undefined_metric_is_never_the_best(tmp_path):
    write_start(tmp_path, '1', [step(10, 5.0), score(10, float('nan')), score(20, 3.0)])
    assert summarise_log(read_training_log(tmp_path))['metrics']['mIoU']['best_at'] == 'step 20'


def test_errors_name_file_and_line(tmp_path):
    with pytest.raises(FileNotFoundError, match='give the work folder of a training'):
        read_training_log(tmp_path)
    path = write_start(tmp_path, '1', [step(10, 5.0)], torn='{"lr": 0.1, "lo\n{"step": 20}\n')
    with pytest.raises(ValueError, match=f'{path}, line 2 is no line of a log: .* or the folder 1.'):
        read_training_log(tmp_path)
    path.write_text('[1]\n')
    with pytest.raises(ValueError, match='line 1 is no line of a log: it is no object with a "step"'):
        read_training_log(tmp_path)


@pytest.mark.parametrize('line, message', [
    (b'[' * 100000, 'it is nested too deeply'),
    (b'{"step": 1, "iter": "\xff"}', 'it is not text in UTF-8: invalid start byte at byte 21'),
    (b'{"step": 1, "iter": "1"}', "iter in it is '1' instead of a whole number"),
    (b'{"step": null}', 'step in it is None instead of a whole number'),
    (b'{"step": NaN}', 'step in it is nan instead of a whole number'),
    (b'{"step": 1, "loss": ' + b'9' * 5000 + b'}', 'Exceeds the limit'),
], ids=str)
def test_lines_that_are_damaged(tmp_path, line, message):
    path = write_start(tmp_path, '20260101_000000', [step(10, 5.0)])
    path.write_bytes(path.read_bytes() + line + b'\n')
    with pytest.raises(ValueError, match=f'scalars.json, line 2 is no line of a log: {message}'):
        read_training_log(tmp_path)


def test_what_is_no_number_is_left_out(tmp_path):
    write_start(tmp_path, '20260101_000000', [step(10, 5.0, note='text', large=10**400), step(20, float('nan'))])
    log = read_training_log(tmp_path)
    assert 'note' not in log.training[0] and 'large' not in log.training[0]
    assert summarise_log(log)['losses']['loss_bce'] != 2.5
