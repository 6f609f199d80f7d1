"""Checkpoints in MMPretrain's layout of Swin, and ours."""

import pytest
import torch
from mmpretrain.models import SwinTransformer

from mmris.checkpoints import UnreadableCheckpointError, read_checkpoint, read_published
from mmris.checkpoints.published import SWIN
from mmris.models.encoders import SwinTower
from tests.checkpoints.published.conversions import converter
from tests.conftest import assert_same
from tests.models.test_image_towers import SWIN as ARCHITECTURE


def published(**options) -> dict:
    """A classifier's weights, as MMPretrain names them."""
    torch.manual_seed(1)
    weights = SwinTransformer(**{**ARCHITECTURE, **options}).state_dict()
    return {**{f'backbone.{name}': value for name, value in weights.items()}, 'head.fc.weight': torch.ones(3, 64)}


def tower(path: object, **options) -> SwinTower:
    torch.manual_seed(0)
    return SwinTower(**{**dict(swin=ARCHITECTURE, joint_channels=24, pretrained=str(path)), **options})


@pytest.fixture
def write(tmp_path):

    def write(state: dict, name: str = 'swin.pth') -> str:
        torch.save(dict(state_dict=state, meta=dict(epoch=1)), tmp_path / name)
        return str(tmp_path / name)

    return write


@pytest.mark.parametrize('suffix', ['pth', 'safetensors'])
def test_there_and_back(monkeypatch, capsys, write, tmp_path, suffix):
    convert, weights = converter(monkeypatch, capsys, 'swin'), published()
    ours, back = tmp_path / f'ours.{suffix}', tmp_path / 'back.pth'
    printed = convert(write(weights), ours)
    assert f'{len(weights)} tensors of Swin (embed_dims 8, depths [1, 1, 2, 1], num_heads [1, 2, 2, 2])' in printed
    convert(ours, back, '--to', 'mmpretrain')
    assert_same(read_checkpoint(back)['state_dict'], weights)
    loaded = tower(ours)
    loaded.load_pretrained()
    assert torch.equal(loaded.swin.patch_embed.projection.weight, weights['backbone.patch_embed.projection.weight'])


def test_a_model_trained_here(write):
    """The norms of inner stages are loaded too; the projection is not Swin's."""
    source = tower(None)
    state = {f'encoder.image.{name}': value for name, value in source.state_dict().items()}
    path = write({**state, 'encoder.text.weight': torch.zeros(1), 'neck.weight': torch.zeros(1)})
    found = read_published(SWIN, path)
    assert found.others == ('encoder.image.projection.weight', 'encoder.text.weight', 'neck.weight')
    loaded = tower(path)
    for value in loaded.parameters():
        value.data.add_(1)
    projection = loaded.projection.weight.clone()
    loaded.load_pretrained()
    assert_same(dict(loaded.swin.state_dict()), dict(source.swin.state_dict()))
    assert torch.equal(loaded.projection.weight, projection)


def test_old_names(write):
    """Of MMPretrain's first versions: the last norm, and masks of the attention."""
    weights = published()
    old = {name.replace('backbone.norm3.', 'backbone.norm.'): value for name, value in weights.items()}
    loaded = tower(write({**old, 'backbone.stages.0.blocks.0.attn_mask': torch.zeros(4, 16, 16)}))
    loaded.load_pretrained()
    assert torch.equal(loaded.swin.norm3.weight, weights['backbone.norm3.weight'])


def test_another_window(write):
    message = (r'Missing: none. Left over: none. Of another shape: swin.stages.0.blocks.0.attn.w_msa.'
               r'relative_position_bias_table \(25, 1\) in the file, \(49, 1\) in the model')
    with pytest.raises(RuntimeError, match=message):
        tower(write(published(window_size=3))).load_pretrained()


def test_another_swin(write):
    arch = dict(ARCHITECTURE['arch'], depths=[1, 2, 2, 1])
    message = 'does not fit the Swin of the config. Missing: none. Left over: swin.stages.1.blocks.1.norm1.weight'
    with pytest.raises(RuntimeError, match=message):
        tower(write(published(arch=arch))).load_pretrained()
    weights = published()
    del weights['backbone.stages.0.downsample.norm.weight'], weights['backbone.norm3.bias']
    with pytest.raises(RuntimeError, match='Missing: .*downsample.norm.weight, swin.norm3.bias. Left over: none'):
        tower(write(weights)).load_pretrained()


def test_files_of_something_else(write, tmp_path):
    path = write({'backbone.conv1.weight': torch.zeros(1)})
    message = 'it holds no Swin weights by the keys of MMPretrain or mmris, but backbone.conv1.weight'
    with pytest.raises(UnreadableCheckpointError, match=message):
        tower(path).load_pretrained()
    with pytest.raises(FileNotFoundError, match="none.pth. docs/pretrained.md says where Swin's files come from"):
        tower(tmp_path / 'none.pth').load_pretrained()
