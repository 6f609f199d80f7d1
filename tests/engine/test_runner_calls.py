"""Whatever one may call on a runner works, for configs of each kind: ``train``, ``val`` and ``test``, each first."""

import itertools
import shutil
from pathlib import Path

import pytest
from mmengine.config import Config

from mmris.registry import RUNNERS
from tests.checkpoints.loading_runner import runner_of
from tests.conftest import ROOT, edit_refs, write_set
from tests.test_configs import shrink

NAMES = itertools.count()
# Epochs and iterations, one and two stages, with instance masks, of two views, of several sets, and with nothing to
# train.
CONFIGS = ('cm_masksd/vit-tiny_shaperef', 'mail/tiny_shaperef', 'risclip/vit-tiny_shaperef_stage2',
           'evf_sam/tiny_shaperef', 'shared_ris/beit3-l_mixed', 'risclip/ablations/value-path')


@pytest.fixture(scope='module')
def folder(tmp_path_factory) -> Path:
    """Twelve images, some in each split."""
    folder = write_set(tmp_path_factory.mktemp('calls') / 'set', images=12, refs_per_image=2)
    splits = ('train', 'train', 'val', 'testA', 'testB', 'test')
    edit_refs(folder, lambda refs: [ref.update(split=splits[ref['image_id'] % 6]) for ref in refs])
    return folder


@pytest.fixture(params=CONFIGS)
def config(request, folder, tmp_path) -> Config:
    config = Config.fromfile(ROOT / 'configs' / f'{request.param}.py')
    files = dict(refs_file='refs(unc).p', ann_file='instances.json')
    if 'instance_masks' in config.inputs:
        config.inputs.instance_masks.file = 'instance_masks.json'
    shrink(config)
    for loader in filter(None, (config.train_dataloader, config.val_dataloader, config.test_dataloader)):
        loader.update(num_workers=0, batch_size=2)
        loader.dataset.update(data_root=str(folder), data_prefix=dict(img_path='images'))
        if 'datasets' in loader.dataset:
            loader.dataset.update(datasets={name: files for name in loader.dataset.datasets}, exclude=None)
        else:
            loader.dataset.update(files)
    config.test_cfg.splits = dict(val=dict(split='val'), testA=dict(split='testA'))
    if config.train_cfg is not None:
        config.train_cfg.update(dict(max_iters=2) if 'max_iters' in config.train_cfg else dict(max_epochs=1))
    config.update(work_dir=str(tmp_path / 'work'), experiment_name=f'calls_{next(NAMES)}', log_level='ERROR',
                  load_from=None)
    return config


def name_of_copy(config: Config) -> Path:
    """The config in the work folder, which a training has left."""
    return Path(config.work_dir) / Path(config.filename).name


@pytest.fixture
def trained(config) -> Path:
    """A config in the work folder, as if a training had left it."""
    path = name_of_copy(config)
    path.parent.mkdir()
    path.write_text('trained = True')
    return path


def check_copies(runner, trained: Path) -> None:
    """The config of an evaluation is beside its logs, and that of the training as it was."""
    assert trained.read_text() == 'trained = True'
    copy = Config.fromfile(Path(runner.log_dir) / trained.name)
    assert copy.work_dir == runner.work_dir and copy.train_cfg == runner.cfg.train_cfg


def test_val(config, trained):
    """The same scores as a test of that split; nothing is saved."""
    runner = RUNNERS.build(config)
    scores = runner.val()
    assert scores['expressions'] == 4 and not list(Path(config.work_dir).glob('*.pth'))
    check_copies(runner, trained)


def test_test(config, trained):
    runner = RUNNERS.build(config)
    scores = runner.test()
    check_copies(runner, trained)
    assert {name: scores[f'{name}/expressions'] for name in ('val', 'testA')} == dict(val=4, testA=4)


def test_train(config):
    """Then the others: what was trained is evaluated."""
    runner = RUNNERS.build(config)
    if config.train_cfg is None:
        with pytest.raises(ValueError, match='There is nothing to train: model.frozen names all of the model. Name'):
            runner.train()
        return
    runner.train()
    assert Config.fromfile(name_of_copy(config)).train_cfg == runner.cfg.train_cfg
    saved = list(Path(config.work_dir).glob('best_*.pth'))
    assert len(saved) == 1
    scores = runner.val()
    assert scores['mIoU'] == runner.test()['val/mIoU'] and list(Path(config.work_dir).glob('best_*.pth')) == saved


def test_runs_of_a_process_keep_their_logs_apart(tmp_path):
    """Also if the folder of the first is gone."""
    first = runner_of(tmp_path / 'first')
    first.visualizer.add_scalar('loss', 1.0, step=1)
    shutil.rmtree(tmp_path / 'first')
    second = runner_of(tmp_path / 'second')
    second.visualizer.add_scalar('loss', 2.0, step=1)
    second.visualizer.close()
    written, = (tmp_path / 'second').rglob('scalars.json')
    assert '2.0' in written.read_text() and not (tmp_path / 'first').exists()
