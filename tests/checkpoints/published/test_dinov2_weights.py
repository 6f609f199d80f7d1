"""Weights of DINOv2 in Meta's layout and in timm's, and ours."""

import pytest
import timm
import torch

from mmris.checkpoints import read_checkpoint, read_published
from mmris.checkpoints.published import DINOV2
from mmris.models.encoders import DINOv2Tower
from tests.checkpoints.published.conversions import converter
from tests.conftest import assert_same
from tests.models.test_dinov2_tower import MEASURES, tower


def published() -> dict:
    """By the keys of Meta's file."""
    torch.manual_seed(1)
    names = (('class_token', 'cls_token'), ('positions', 'pos_embed'), ('patch_embedding.', 'patch_embed.proj.'))
    state = {}
    for name, value in tower().state_dict().items():
        for ours, theirs in names:
            name = name.replace(ours, theirs) if name.startswith(ours) else name
        state[name] = value
    return {**state, 'mask_token': torch.randn(1, 32)}


@pytest.mark.parametrize('suffix', ['pth', 'safetensors'])
def test_there_and_back(monkeypatch, capsys, tmp_path, suffix):
    convert, weights = converter(monkeypatch, capsys, 'dinov2'), published()
    theirs, ours, back = tmp_path / 'theirs.pth', tmp_path / f'ours.{suffix}', tmp_path / 'back.pth'
    torch.save(weights, theirs)
    assert 'tensors of DINOv2 (4 layers of 32 channels, 25 positions of patches)' in convert(theirs, ours)
    convert(ours, back, '--to', 'dinov2')
    assert_same(read_checkpoint(back), weights)
    loaded = DINOv2Tower(architecture=MEASURES, taps=(2, 3, 4), joint_channels=24, pretrained=str(theirs))
    projection = loaded.projection.weight.clone()
    loaded.load_pretrained()
    expected = dict(tower().state_dict())
    assert_same({name: value for name, value in loaded.state_dict().items() if name != 'projection.weight'}, expected)
    assert torch.equal(loaded.projection.weight, projection)
    assert set(loaded.pretrained_parts) == {name.partition('.')[0] for name in expected}


def test_of_timm(monkeypatch, capsys, tmp_path):
    """It has no position of the class token."""
    model = timm.create_model('vit_base_patch14_reg4_dinov2', img_size=70, embed_dim=32, depth=4, num_heads=2)
    with torch.no_grad():
        for value in model.parameters():
            value.normal_()
    torch.save(model.state_dict(), tmp_path / 'timm.pth')
    convert = converter(monkeypatch, capsys, 'dinov2')
    convert(tmp_path / 'timm.pth', tmp_path / 'ours.pth')
    convert(tmp_path / 'ours.pth', tmp_path / 'back.pth', '--to', 'timm')
    assert_same(read_checkpoint(tmp_path / 'back.pth'), dict(model.state_dict()))
    found = read_published(DINOV2, str(tmp_path / 'timm.pth')).state['positions']
    assert found.shape == (1, 26, 32) and not found[:, 0].any()


def test_from_a_model_trained_here(tmp_path):
    state = {f'encoder.image.{name}': value for name, value in tower().state_dict().items()}
    torch.save(dict(state_dict={**state, 'encoder.text.x': torch.zeros(1)}), tmp_path / 'best_mIoU_epoch_1.pth')
    loaded = DINOv2Tower(architecture=MEASURES, taps=(2, 3, 4), pretrained=str(tmp_path))
    loaded.load_pretrained()
    assert_same(dict(loaded.state_dict()), dict(tower().state_dict()))


def test_without_registers(tmp_path):
    """DINOv2 was first published without them."""
    weights = published()
    del weights['register_tokens']
    torch.save(weights, tmp_path / 'theirs.pth')
    loaded = DINOv2Tower(architecture=MEASURES, taps=(2, 3, 4), pretrained=str(tmp_path / 'theirs.pth'))
    with pytest.raises(RuntimeError, match='theirs.pth does not fit the DINOv2 .* Missing: register_tokens'):
        loaded.load_pretrained()
