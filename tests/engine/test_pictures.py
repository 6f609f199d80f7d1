"""What a training draws of itself: the same predictions at each validation, curves, and nothing else changes."""

import itertools
import random
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from mmris.engine.hooks import CurvesHook, PredictionSheetHook, prediction_sheet_hook
from mmris.protocols import find_protocol
from mmris.registry import RUNNERS, TRANSFORMS
from mmris.structures import ReferringDataSample
from mmris.utils.tracking import add_trackers
from mmris.utils.training_log import read_training_log
from mmris.visualization import mean_iou
from mmris.visualization.curves import draw_curves
from tests.conftest import assert_same, tiny_config, write_set

NAMES = itertools.count()
AVERAGES = dict(type='EMAHook', momentum=0.5)
PICTURES = [dict(type='PredictionSheetHook', number=9), dict(type='CurvesHook')]
ITERATIONS = dict(
    default_hooks=dict(logger=dict(log_metric_by_epoch=False, interval=1)), log_processor=dict(by_epoch=False))


def small_config(folder: Path, work_dir: str, hooks: list, trackers: list = (), **changes) -> Config:
    """Two epochs of two batches, scored on four images of one expression; no checkpoints."""
    config = tiny_config()
    if not (folder / 'set').exists():
        write_set(folder / 'set', images=4, refs_per_image=1)
    for loader in (config.train_dataloader, config.val_dataloader):
        loader.update(batch_size=2, num_workers=0)
        loader.dataset.update(data_root=str(folder / 'set'), split='val')
    config.train_cfg = changes.pop('train_cfg', dict(config.train_cfg, max_epochs=2))
    config.merge_from_dict(dict(changes, param_scheduler=[dict(type='ConstantLR', factor=1)]))
    config.update(test_dataloader=None, test_cfg=None, test_evaluator=None, custom_hooks=hooks)
    name = f'pictures_{next(NAMES)}'
    config.update(work_dir=str(folder / work_dir), experiment_name=name, log_level='WARNING')
    config.default_hooks.checkpoint = None
    # Visualizers of one name are one.
    config.visualizer.name = name
    add_trackers(config, trackers)
    return config


def train(config: Config) -> Runner:
    runner = RUNNERS.build(config)
    runner.train()
    runner.visualizer.close()
    return runner


def result(runner: Runner) -> tuple:
    """Weights, mode and random state."""
    random_state = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    return dict(runner.model.state_dict()), runner.model.training, random_state


@pytest.fixture(scope='module')
def plain(tmp_path_factory) -> tuple:
    """The result of a training without pictures."""
    return result(train(small_config(tmp_path_factory.mktemp('plain'), 'work', [AVERAGES])))


@pytest.fixture(scope='module')
def pictured(tmp_path_factory) -> SimpleNamespace:
    """The same training with pictures: its folder, result, and what was on each sheet beside the metrics."""
    folder, sheets, original = tmp_path_factory.mktemp('pictured'), [], PredictionSheetHook._draw

    def draw(self, runner, predictions, metrics):
        sheets.append(SimpleNamespace(predictions=predictions, metrics=metrics))
        original(self, runner, predictions, metrics)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PredictionSheetHook, '_draw', draw)
        runner = train(small_config(folder, 'work', [AVERAGES, *PICTURES], ['tensorboard']))
    return SimpleNamespace(work_dir=folder / 'work', result=result(runner), sheets=sheets)


def test_pictures_change_no_bit_of_a_training(plain, pictured):
    assert_same(pictured.result, plain)


def test_sheets_show_the_same_expressions_each_time(pictured):
    first, second = pictured.sheets
    assert [one.text for one in first.predictions] == [one.text for one in second.predictions]
    assert len({one.text for one in first.predictions}) == 4


def test_sheets_show_what_was_scored(pictured):
    """With averaged weights too."""
    for sheet in pictured.sheets:
        assert sheet.metrics['expressions'] == len(sheet.predictions)
        assert mean_iou(sheet.predictions) == pytest.approx(sheet.metrics['mIoU'], abs=1e-9)


def test_pictures_are_written_once(pictured):
    folder = pictured.work_dir
    names = {path.relative_to(folder).as_posix() for path in folder.rglob('*.png')}
    assert names == {'predictions/epoch_0001.png', 'predictions/epoch_0002.png', 'curves.png'}
    for name in names:
        picture = np.asarray(Image.open(folder / name))
        assert min(picture.shape[:2]) > 300 and picture.std() > 10


def test_tensorboard_gets_losses_metrics_and_sheets(pictured):
    path = next(pictured.work_dir.rglob('events.out*'))
    events = EventAccumulator(str(path), size_guidance=dict(images=0))
    events.Reload()
    assert [image.step for image in events.Images('val/predictions')] == [1, 2]
    assert [scalar.step for scalar in events.Scalars('val/mIoU')] == [1, 2]
    assert [scalar.step for scalar in events.Scalars('train/loss')] == [2, 4]


def test_logs_hold_the_share_of_the_target_that_was_selected(pictured):
    """In scalars.json and TensorBoard, beside chance; in curves.png a panel shows them."""
    log = read_training_log(pictured.work_dir)
    assert log.selecting_branches == ['lmvsd']
    (steps, shares), (_, chance) = log.series('target_share_lmvsd'), log.series('chance_lmvsd')
    assert steps.tolist() == [2, 4] and ((0 <= shares) & (shares <= 1)).all() and chance.tolist() == [0.5, 0.5]
    assert any('target' in axes.get_title(loc='left') for axes in draw_curves(dict(run=log)).axes)
    events = EventAccumulator(str(next(pictured.work_dir.rglob('events.out*'))))
    events.Reload()
    values = [scalar.value for scalar in events.Scalars('train/target_share_lmvsd')]
    assert values == pytest.approx(shares.tolist(), abs=1e-6)


def test_what_is_logged_is_the_mean_over_the_window():
    """Of what branches measure, as of losses: the value of one batch alone says little."""
    pattern = tiny_config().log_processor.mean_pattern
    for name in ('loss', 'loss_bce', 'time', 'data_time', 'grad_norm', 'target_share_lmvsd', 'train/chance_lmvsd'):
        assert re.search(pattern, name), name
    assert not re.search(pattern, 'lr')


def test_iterations_with_an_interval(tmp_path):
    loop = dict(type='IterBasedTrainLoop', max_iters=4, val_interval=1)
    hooks = [dict(type='PredictionSheetHook', number=1, interval=3), dict(type='CurvesHook')]
    train(small_config(tmp_path, 'work', hooks, train_cfg=loop, **ITERATIONS))
    names = sorted(path.name for path in (tmp_path / 'work' / 'predictions').iterdir())
    assert names == ['iter_000003.png', 'iter_000004.png']
    assert [row['iter'] for row in read_training_log(tmp_path / 'work').validation] == [1, 2, 3, 4]


def test_a_picture_that_fails_does_not_end_the_training(tmp_path, monkeypatch):

    def fail(*arguments, **options):
        raise OSError('No space left on device')

    monkeypatch.setattr(PredictionSheetHook, '_draw', fail)
    warnings = []
    runner = SimpleNamespace(work_dir=str(tmp_path), logger=SimpleNamespace(warning=warnings.append))
    sheet = PredictionSheetHook()
    sheet._due = True
    sheet.after_val_epoch(runner)
    CurvesHook().after_train(runner)
    assert warnings[0] == 'The sheet of predictions was not drawn: No space left on device'
    assert warnings[1].startswith('curves.png was not drawn: There is no */vis_data/scalars.json in')


def sample(img_id: int, expressions: int) -> ReferringDataSample:
    made = ReferringDataSample(
        metainfo=dict(
            img_id=img_id,
            img_path=f'{img_id}.jpg',
            text=[f'{img_id} {place}' for place in range(expressions)],
            ref_ids=[10 * img_id + place for place in range(expressions)],
            sent_ids=[100 * img_id + place for place in range(expressions)]))
    made.gt_original = torch.zeros(expressions, 2, 2, dtype=torch.bool)
    made.probabilities = torch.zeros(expressions, 2, 2)
    return made


def choose(monkeypatch, parts: list, **options) -> list:
    """Texts on the sheet when each part of the samples was seen by another process."""
    hooks = [PredictionSheetHook(threshold=0.5, **options) for _ in parts]
    for hook, samples in zip(hooks, parts):
        hook._due = True
        hook.after_val_iter(None, 0, None, samples)
    everyone = [list(hook._kept.values()) for hook in hooks]
    monkeypatch.setattr(prediction_sheet_hook, 'all_gather_object', lambda mine: everyone)
    monkeypatch.setattr(prediction_sheet_hook, '_with_image', lambda entry: entry['text'])
    chosen = []
    monkeypatch.setattr(PredictionSheetHook, '_draw', lambda self, runner, texts, metrics: chosen.extend(texts))
    hooks[0].after_val_epoch(None, {})
    return chosen


def test_the_choice_depends_on_neither_order_nor_processes(monkeypatch):
    whole = [sample(img_id, 1 + img_id % 3) for img_id in range(40)]
    chosen = choose(monkeypatch, [whole])
    assert len(chosen) == 8 and len({text.split()[0] for text in chosen}) == 8
    assert choose(monkeypatch, [whole[::-1]]) == chosen
    # Samplers pad, so that a sample is seen twice; sentences of one image may come apart.
    assert choose(monkeypatch, [whole[::2], whole[1::2] + whole[:1]]) == chosen
    assert choose(monkeypatch, [whole], seed=1) != chosen
    assert choose(monkeypatch, [whole], number=3) == chosen[:3]


def test_wrong_options():
    with pytest.raises(ValueError, match='number of PredictionSheetHook must be at least 1, but got 0'):
        PredictionSheetHook(number=0)
    with pytest.raises(ValueError, match='interval of PredictionSheetHook must be at least 1, but got -1'):
        PredictionSheetHook(interval=-1)
    with pytest.raises(ValueError, match=r'threshold of PredictionSheetHook is a probability in \[0, 1\), but got 35'):
        PredictionSheetHook(threshold=35)


def test_images_annotated_upright_are_drawn_upright(tmp_path):
    """As the pipeline read them: a mask lies on the turned image."""
    path = tmp_path / 'photo.jpg'
    picture = Image.new('RGB', (9, 5))
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.save(path, exif=exif)
    info = dict(img_path=str(path), img_id=1, height=9, width=5, targets=[0], ref_ids=[2], sent_ids=[3],
                objects=[[[[0, 0, 4, 0, 4, 4]]]], text=['the man'], token_ids=torch.zeros(1, 4, dtype=torch.int64),
                token_mask=torch.ones(1, 4, dtype=torch.bool))
    for step in (dict(type='LoadImage', upright=True), dict(type='LoadMasks'),
                 dict(type='PackReferringInputs', masks=['gt_original'])):
        info = TRANSFORMS.build(step)(info)
    sample = info['data_samples']
    sample.probabilities = sample.gt_original.float()
    hook = PredictionSheetHook(number=1)
    hook._consider(sample, find_protocol('mmris'))
    drawn = prediction_sheet_hook._with_image(hook._kept[1][1])
    assert drawn.image.shape == (9, 5, 3) and drawn.target.shape == drawn.mask.shape == (9, 5) and drawn.iou == 1
