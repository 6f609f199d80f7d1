"""Trainings and evaluations with a feature cache, as a user runs them."""

import itertools
import re
from pathlib import Path

import pytest
from mmengine.config import Config

from mmris.models.encoders import CLIPEncoder
from mmris.registry import RUNNERS
from tests.conftest import run_command
from tests.engine.test_restarts import small_config

NAMES = itertools.count()
PLAIN = ('test_dataloader.num_workers=0', 'test_dataloader.persistent_workers=False', 'test_evaluator.by_skill=False',
         'model.frozen=encoder.image')


def of_two_epochs(folder: Path, name: str) -> Config:
    config = small_config(folder, name, **{
        'train_cfg.max_epochs': 2,
        'model.frozen': ['encoder.image'],
        'model.feature_cache': dict(folder=str(folder / 'features'))})
    config.update(log_level='INFO', experiment_name=f'cached_{next(NAMES)}')
    return config


def lines(folder: Path) -> list:
    log = next(folder.glob('*/*.log')).read_text(encoding='utf-8')
    return re.findall(r'INFO - (Feature cache.*)', log)


def test_what_is_logged(tmp_path):
    """Training fills it; validation of the same images, and a second run, find all there."""
    RUNNERS.build(of_two_epochs(tmp_path, 'first')).train()
    assert lines(tmp_path / 'first')[:-1] == [
        'Feature cache, epoch 1 of training: 0 images found, 12 computed.',
        'Feature cache, validation: 12 images found, 0 computed.',
        'Feature cache, epoch 2 of training: 12 images found, 0 computed.',
        'Feature cache, validation: 12 images found, 0 computed.']
    store = next((tmp_path / 'features').iterdir())
    assert re.fullmatch(rf'Feature cache: 12 entries, [\d.]+ kB in {tmp_path}/features \({store.name}\).',
                        lines(tmp_path / 'first')[-1])
    RUNNERS.build(of_two_epochs(tmp_path, 'second')).train()
    assert lines(tmp_path / 'second')[0] == 'Feature cache, epoch 1 of training: 12 images found, 0 computed.'
    assert len([path for path in store.iterdir() if path.suffix == '.features']) == 1


def test_an_evaluation(refer_set, tmp_path, monkeypatch):
    """The command fills a cache, another one finds it, and the scores are those without one."""
    config = of_two_epochs(tmp_path, 'work')
    config.train_cfg.max_epochs = 1
    RUNNERS.build(config).train()
    scores = []
    cached = ('--cache-features', tmp_path / 'own')
    for number, options in enumerate([(), cached, cached]):
        if number == 2:
            monkeypatch.setattr(CLIPEncoder, 'encode_image', None)
        run_command('test', 'mmris::cm_masksd/vit-tiny_shaperef.py', tmp_path / 'work' / 'epoch_1.pth', '--data-root',
                    refer_set, '--split', 'val', '--out', tmp_path / 'scores.json', '--work-dir', tmp_path / 'test',
                    *options, '--cfg-options', *PLAIN)
        scores.append((tmp_path / 'scores.json').read_text())
    assert scores[0] == scores[1] == scores[2]


def test_a_run_without_a_cache_says_nothing(tmp_path):
    config = of_two_epochs(tmp_path, 'none')
    config.model.feature_cache = None
    config.train_cfg.max_epochs = 1
    RUNNERS.build(config).train()
    assert not lines(tmp_path / 'none')


def test_a_refused_model_says_why(tmp_path):
    config = of_two_epochs(tmp_path, 'refused')
    config.model.frozen = ['encoder.text']
    with pytest.raises(ValueError, match='weights of encoder.image are trained, .*: name encoder.image in model'):
        RUNNERS.build(config)
