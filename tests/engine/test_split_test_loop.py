"""Several splits in one run: what is left of each."""

import itertools
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.hooks import LoggerHook

from mmris.engine import split_test_loop
from mmris.evaluation import ReferringIoUMetric, nest_metrics
from mmris.evaluation.error_analysis import read_expression_rows
from mmris.registry import RUNNERS
from tests.conftest import tiny_config, write_set

NAMES = itertools.count()
SPLITS = dict(val=dict(split='val'), val_empty=dict(split='val', control='empty'))


class Tagged(ReferringIoUMetric):
    """Has a skill that only sentences with words need."""

    def compute_metrics(self, results: list) -> dict:
        metrics = super().compute_metrics(results)
        return dict(metrics, **{'skill/reading/mIoU': 12.0}) if results[0]['text'][0] else metrics


class Curve(BaseMetric):
    """A metric of another project, whose score is no number, and undefined without words."""
    default_prefix = 'curve'

    def process(self, data_batch: dict, data_samples: list) -> None:
        self.results.extend(sample['text'][0] for sample in data_samples)

    def compute_metrics(self, results: list) -> dict:
        return dict(points=np.array([1.5, 2.5])) if results[0] else {}


def splits_config(folder: Path, evaluator: object, **test_cfg) -> Config:
    config = tiny_config()
    write_set(folder / 'set', images=3, refs_per_image=2)
    config.test_dataloader.update(batch_size=2, num_workers=0)
    config.test_dataloader.dataset.data_root = str(folder / 'set')
    name = f'splits_{next(NAMES)}'
    config.update(work_dir=str(folder / 'work'), experiment_name=name)
    # Visualizers of one name are one.
    config.visualizer.name = name
    config = Config(dict(config, test_evaluator=evaluator))
    config.test_cfg = dict(type='SplitTestLoop', splits=SPLITS, **test_cfg)
    return config


def dumped(path: Path) -> dict:
    """By split, sentences."""
    return {split: [row['text'] for row in rows] for split, rows in read_expression_rows(path).items()}


@pytest.fixture(scope='module')
def tested(tmp_path_factory) -> SimpleNamespace:
    """A test of two splits by several metrics: its scores, folder, log, and what was in the log folder when."""
    folder, left, met, original = tmp_path_factory.mktemp('splits'), [], [], LoggerHook.after_test_epoch

    def in_log_folder() -> list:
        return [json.loads(path.read_text()) for path in Path(runner.log_dir).glob('*.json')]

    def after_test_epoch(self, runner, metrics=None):
        # What the split before this left.
        left.append(in_log_folder())
        original(self, runner, metrics)

    evaluator = [
        dict(type=Tagged, threshold=0.0, dump_file=str(folder / 'plain.jsonl')),
        dict(type=Curve),
        dict(type='ReferringIoUMetric', threshold=0.2, prefix='t20', dump_file=str(folder / 't20.jsonl')),
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LoggerHook, 'after_test_epoch', after_test_epoch)
        patch.setattr(split_test_loop, 'barrier', lambda: met.append(in_log_folder()))
        runner = RUNNERS.build(splits_config(folder, evaluator))
        metrics = runner.test()
    log = next(Path(runner.log_dir).glob('*.log')).read_text(encoding='utf-8')
    return SimpleNamespace(folder=folder, metrics=metrics, left=[*left, in_log_folder()], met=met, log=log)


def test_dump_files_of_the_evaluator_hold_all_splits(tested):
    for name in ('plain', 't20'):
        texts = dumped(tested.folder / f'{name}.jsonl')
        assert list(texts) == list(SPLITS)
        assert len(texts['val']) == 6 and all(texts['val']) and texts['val_empty'] == [''] * 6
    assert not list(tested.folder.glob('*.part')), 'the parts are joined'
    plain, strict = (read_expression_rows(tested.folder / f'{name}.jsonl')['val'] for name in ('plain', 't20'))
    assert np.mean([100 * row['iou'] for row in plain]) == pytest.approx(tested.metrics['val/mIoU'])
    assert np.mean([100 * row['iou'] for row in strict]) == pytest.approx(tested.metrics['val/t20/mIoU'])
    assert plain != strict


def test_the_log_folder_holds_the_scores_of_all_splits_so_far(tested):
    before, first, both = tested.left
    assert not before and len(first) == len(both) == 1
    nested = nest_metrics(tested.metrics)
    for split in nested.values():
        if 'curve' in split:
            split['curve'] = dict(points=[1.5, 2.5])
    assert first[0] == dict(val=nested['val'])
    assert list(both[0]) == list(SPLITS) and both[0] == nested
    assert both[0]['val']['t20'] != both[0]['val_empty']['t20']
    assert both[0]['val']['skill'] == dict(reading=dict(mIoU=12.0))


def test_processes_meet_before_the_scores_of_all_are_written(tested):
    """LoggerHook writes the file in each process: a late one would write over them."""
    for (written, ), split in zip(tested.met, SPLITS):
        assert written['mIoU'] == tested.metrics[f'{split}/mIoU'], 'still what LoggerHook wrote'


def test_the_line_of_a_split_holds_its_own_scores(tested):
    lines = [line for line in tested.log.splitlines() if 'mIoU: ' in line]
    assert len(lines) == len(SPLITS)
    for line, split in zip(lines, SPLITS):
        for name in ('mIoU', 't20/mIoU'):
            assert line.count(f' {name}: ') == 1
            assert f' {name}: {tested.metrics[f"{split}/{name}"]:.4f} ' in line
    assert 'skill/reading/mIoU: 12.0000' in lines[0] and 'curve/points' in lines[0]
    assert 'skill' not in lines[1] and 'curve' not in lines[1], 'val_empty has no such scores'


@pytest.mark.parametrize('wrap', [lambda metric: metric, lambda metric: dict(type='Evaluator', metrics=metric)],
                         ids=['metric', 'evaluator'])
def test_the_loop_s_own_dump_file_goes_first(tmp_path, wrap):
    evaluator = wrap(dict(type='ReferringIoUMetric', dump_file=str(tmp_path / 'metric.jsonl')))
    RUNNERS.build(splits_config(tmp_path, evaluator, dump_file=str(tmp_path / 'loop.jsonl'))).test()
    assert [len(texts) for texts in dumped(tmp_path / 'loop.jsonl').values()] == [6, 6]
    assert [path.name for path in tmp_path.iterdir() if path.suffix != '' and path.is_file()] == ['loop.jsonl']


def test_scores_of_another_protocol(tmp_path):
    config = splits_config(tmp_path, dict(type='ReferringIoUMetric', by_skill=True))
    config.model.protocol = 'rela'
    # A test trains nothing, so that it does not matter by what a training picks its best checkpoint.
    config.update(train_cfg=None, train_dataloader=None, optim_wrapper=None, param_scheduler=None)
    nested = nest_metrics(RUNNERS.build(config).test())
    for split in SPLITS:
        assert {'gIoU', 'cIoU', 'N-acc', 'T-acc', 'Pr@0.7', 'Pr@0.8', 'Pr@0.9', 'expressions'} <= nested[split].keys()
        assert np.isnan(nested[split]['N-acc']) and 'mIoU' not in nested[split]
    left, = (json.loads(path.read_text()) for path in (tmp_path / 'work').glob('*/*.json'))
    assert left['val']['N-acc'] is None and left['val']['T-acc'] == pytest.approx(nested['val']['T-acc'])


def test_a_dump_file_without_a_metric_that_writes_it(tmp_path):
    runner = RUNNERS.build(splits_config(tmp_path, [dict(type=Curve)], dump_file='rows.jsonl'))
    with pytest.raises(ValueError, match='is to write rows.jsonl, but test_evaluator has no ReferringIoUMetric'):
        runner.test()


def test_two_metrics_of_one_dump_file(tmp_path):
    evaluator = [dict(type='ReferringIoUMetric', prefix=prefix, dump_file='rows.jsonl') for prefix in ('t35', 't50')]
    runner = RUNNERS.build(splits_config(tmp_path, evaluator))
    with pytest.raises(ValueError, match="Two metrics of test_evaluator write to dump_file='rows.jsonl'.*file of its"):
        runner.test()


def test_no_splits(tmp_path):
    config = splits_config(tmp_path, dict(type='ReferringIoUMetric'))
    config.test_cfg.splits = {}
    with pytest.raises(ValueError, match='needs at least one split'):
        RUNNERS.build(config).test()


def test_a_mistake_in_the_last_split(tmp_path, monkeypatch):
    """It is found before the first is scored."""
    config = splits_config(tmp_path, dict(type='ReferringIoUMetric'))
    config.test_cfg.splits = dict(val=dict(split='val'), test=dict(split='test'))
    monkeypatch.setattr(ReferringIoUMetric, 'process', lambda *_: pytest.fail('scored'))
    with pytest.raises(ValueError, match="split 'test' is not in "):
        RUNNERS.build(config).test()
