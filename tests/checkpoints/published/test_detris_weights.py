"""Checkpoints in the layout of DETRIS's published code, and ours."""

import re

import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmris.checkpoints import load_model_weights, read_checkpoint
from mmris.checkpoints.published import DETRIS, KeyMapError, PublishedWeights, detris
from mmris.checkpoints.published.detris import KEY_MAP
from mmris.checkpoints.published.whole import find_fitting_config
from mmris.registry import MODELS
from tests.checkpoints.published.conversions import converter
from tests.checkpoints.published.detris_files import CONFIGS, released, toy_config
from tests.conftest import ROOT, assert_same


@pytest.fixture
def convert_toy(tmp_path, monkeypatch, capsys):
    """Run the command, which knows the toys instead of the released sizes."""
    for name in CONFIGS:
        toy_config(name).dump(tmp_path / f'{name}.py')
    monkeypatch.setattr(detris, 'CONFIGS', tuple(str(tmp_path / f'{name}.py') for name in CONFIGS))
    return converter(monkeypatch, capsys, 'detris')


def save(path, name: str = 'vit-b_refcoco') -> dict:
    """Write a file as the published training does; its weights."""
    state = released(toy_config(name))
    torch.save(
        dict(epoch=50, cur_iou=np.float64(0.75), best_iou=np.float32(0.76), prec={'Pr@50': np.float64(0.8)},
             state_dict=state, optimizer=dict(state={}, param_groups=[]), scheduler=dict(last_epoch=50)), path)
    return state


@pytest.mark.parametrize('name', CONFIGS)
@pytest.mark.parametrize('suffix', ['pth', 'safetensors'])
def test_there_and_back(convert_toy, tmp_path, name, suffix):
    """Bit for bit, and every weight of ours is in the file."""
    theirs, ours, back = tmp_path / 'best.pth', tmp_path / f'ours.{suffix}', tmp_path / 'back.pth'
    weights = save(theirs, name)
    printed = convert_toy(theirs, ours)
    assert re.search(rf'tensors of DETRIS \(fit .*/{name}\.py, or the config of another data set', printed)
    convert_toy(ours, back, '--to', 'detris')
    assert_same(read_checkpoint(back)['state_dict'], weights)

    model = MODELS.build(toy_config(name).model)
    load_model_weights(model, ours)
    direct = MODELS.build(toy_config(name).model)
    load_model_weights(direct, theirs)
    assert_same(dict(model.state_dict()), dict(direct.state_dict()))
    state = model.state_dict()
    assert torch.equal(state['neck.stage_projections.2.0.weight'],
                       weights['module.neck.f5_proj.0.weight'].transpose(0, 1))
    assert torch.equal(state['neck.factors.1.0.weight'],
                       weights['module.neck.fusion4.multihead_attn.in_proj_weight'][32:])
    assert torch.equal(state['encoder.image_adapters.3.dense.five.1.0.weight'],
                       weights['module.dinov2.blocks.3.adapter.dense_branch3.1.conv.weight'])
    assert state['encoder.text.quick_gelu']


def test_trained_here(convert_toy, tmp_path):
    """What their loader asks for and ours never had is zero."""
    config = toy_config('vit-b_refcoco')
    torch.manual_seed(0)
    model = MODELS.build(config.model)
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'ours.pth')
    convert_toy(tmp_path / 'ours.pth', tmp_path / 'theirs.pth', '--to', 'detris')
    found, expected = read_checkpoint(tmp_path / 'theirs.pth')['state_dict'], released(config)
    assert {name: value.shape for name, value in found.items()} == {
        name: value.shape for name, value in expected.items()}
    for number in (3, 4, 5):
        weight = found[f'module.neck.fusion{number}.multihead_attn.in_proj_weight']
        assert not weight[:32].any() and torch.equal(weight[32:], model.neck.factors[number - 3][0].weight)
    assert not found['module.dinov2.mask_token'].any()
    convert_toy(tmp_path / 'theirs.pth', tmp_path / 'again.pth')
    again = MODELS.build(config.model)
    load_model_weights(again, tmp_path / 'again.pth')
    assert_same(dict(again.state_dict()), dict(model.state_dict()))


def test_another_model_is_refused(tmp_path):
    """By the width that differs."""
    save(tmp_path / 'base.pth')
    model = MODELS.build(toy_config('vit-l_refcoco_mixed').model)
    with pytest.raises(RuntimeError) as caught:
        load_model_weights(model, tmp_path / 'base.pth')
    message = str(caught.value)
    assert 'Of another shape: ' in message
    assert re.search(r'encoder\.\S+ \(.*\b32\b.*\) in the file, \(.*\b48\b.*\) in the model', message)


@pytest.mark.slow
@pytest.mark.parametrize('name', CONFIGS)
def test_full_size(name):
    """Weights of each released model find its config."""
    with torch.device('meta'):
        config = Config.fromfile(ROOT / f'configs/detris/{name}.py')
        state = MODELS.build(config.model).state_dict()
    del state['encoder.text.quick_gelu']
    found = PublishedWeights(state, {}, 'test', quick_gelu=True)
    assert find_fitting_config(found, detris.CONFIGS, ('encoder.text.quick_gelu', )) == f'mmris::detris/{name}.py'


class TestMap:

    def test_unknown_and_missing_keys(self):
        weights = {name.removeprefix('module.'): value for name, value in released(toy_config(CONFIGS[0])).items()}
        with pytest.raises(KeyMapError, match='no rule knows: dinov2.extra, neck.fusion6.x'):
            KEY_MAP.to_ours({**weights, 'dinov2.extra': torch.zeros(1), 'neck.fusion6.x': torch.zeros(1)}, 'test')
        weights['neck.fusion3.multihead_attn.in_proj_bias'] = torch.zeros(16)
        with pytest.raises(KeyMapError, match=r'in_proj_bias: three equal parts were expected, not the shape \(16,\)'):
            KEY_MAP.to_ours(weights, 'test')

    def test_recognised(self):
        weights = {name.removeprefix('module.'): value for name, value in released(toy_config(CONFIGS[0])).items()}
        ours = KEY_MAP.to_ours(weights, 'test')
        assert DETRIS.find_layout(weights) is DETRIS.layouts[0] and not DETRIS.matches_ours(weights)
        assert DETRIS.matches_ours(ours) and DETRIS.find_layout(ours) is None
