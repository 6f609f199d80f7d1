"""The comparison of ways to mask: what its rows have in common, and in what they differ."""

from typing import Any, Dict

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmris.registry import MODELS
from tests.conftest import ROOT, assert_same

FOLDER = ROOT / 'configs/cm_masksd/masking'
ROWS = sorted(path.stem for path in FOLDER.glob('*.py') if path.stem not in ('baseline', 'towers'))


def read(name: str) -> Dict[str, Any]:
    return Config.fromfile(FOLDER / f'{name}.py').to_dict()


@pytest.mark.parametrize('name', ROWS)
def test_rows_differ_from_the_baseline_in_their_branches(name):
    baseline, row = read('baseline'), read(name)
    branches = row['model'].pop('distillation')
    weight = row['model']['losses']['bce'].pop('loss_weight')
    assert weight == (0.5 if name == 'maskris' else baseline['model']['losses']['bce'].pop('loss_weight'))
    baseline['model']['losses']['bce'].pop('loss_weight', None)
    assert row.pop('work_dir') != baseline.pop('work_dir') and row == baseline
    assert set(branches) == dict(
        lmvsd={'lmvsd'}, vmlsd={'vmlsd'}, both={'lmvsd', 'vmlsd'}, random={'lmvsd', 'vmlsd'}, maskris={'maskris'},
        both_maskris={'lmvsd', 'vmlsd', 'maskris'})[name]


def test_branches():
    both, random = (read(name)['model']['distillation'] for name in ('both', 'random'))
    for name in ('lmvsd', 'vmlsd'):
        assert both[name] == read(name)['model']['distillation'][name]
        assert both[name] == read('both_maskris')['model']['distillation'][name]
        assert random[name].pop('correlation_filter') == dict(type='RandomFilter', top_k=0.5)
        assert both[name].pop('correlation_filter') == dict(type='CorrelationFilter', top_k=0.5)
    assert random == both
    alone, beside = (read(name)['model']['distillation']['maskris'] for name in ('maskris', 'both_maskris'))
    assert alone['image']['block'] == 8 and alone['learned_mask'] is True
    assert (alone['loss'].pop('loss_weight'), beside['loss'].pop('loss_weight')) == (0.5, 1.0) and alone == beside


@pytest.mark.parametrize('name', ROWS)
def test_all_rows_begin_alike(name):
    """So that differences by seed are those of the branches."""
    init_default_scope('mmris')
    states = []
    for row in ('baseline', name):
        config = read(row)['model']
        config['encoder']['pretrained'] = None
        torch.manual_seed(0)
        model = MODELS.build(config)
        model.init_weights()
        states.append(model.state_dict())
    for key in [key for key in states[1] if key.startswith('distillation.')]:
        assert states[1].pop(key).abs().max() > 0
    assert_same(*states)


def test_towers_are_those_of_the_rows():
    towers, baseline = (read(name)['model']['encoder'] for name in ('towers', 'baseline'))
    baseline.pop('pretrained'), towers.pop('pretrained')
    assert towers == baseline
