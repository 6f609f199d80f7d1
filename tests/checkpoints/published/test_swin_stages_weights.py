"""Checkpoints of Swin in the layouts of Microsoft and MMPretrain, for the tower that stops between its stages."""

import pytest
import timm
import torch

from mmris.checkpoints import UnreadableCheckpointError, read_checkpoint, read_published
from mmris.checkpoints.published import SWIN_STAGES, KeyMapError
from mmris.models.encoders import PaddedSwin
from tests.checkpoints.published.conversions import converter
from tests.checkpoints.published.swin_stages_files import (
    ARCHITECTURE,
    CHANNELS,
    as_mmpretrain,
    classifier,
    tower,
)
from tests.checkpoints.published.test_swin_weights import merge_by_unfolding
from tests.conftest import assert_same

INDEX = '.relative_position_index'


def without_index(weights: dict) -> dict:
    return {name: value for name, value in weights.items() if not name.endswith(INDEX)}


def build(path: object = None, **architecture: object) -> PaddedSwin:
    torch.manual_seed(0)
    return PaddedSwin(architecture={**ARCHITECTURE, **architecture}, pretrained=None if path is None else str(path))


@pytest.fixture
def convert(monkeypatch, capsys):
    return converter(monkeypatch, capsys, 'swin_stages')


@pytest.fixture
def write(tmp_path):

    def write(content: dict, name: str = 'swin.pth') -> str:
        torch.save(content, tmp_path / name)
        return str(tmp_path / name)

    return write


@pytest.mark.parametrize('suffix', ['pth', 'safetensors'])
def test_microsoft_s_there_and_back(convert, write, tmp_path, suffix):
    """Bit for bit, with what follows from the rest and what the tower does not have."""
    weights, ours, back = classifier(), tmp_path / f'ours.{suffix}', tmp_path / 'back.pth'
    printed = convert(write(dict(model=weights)), ours)
    assert 'of PaddedSwin (embed_dim 8, depths [1, 2, 2, 1], num_heads [1, 2, 2, 4])' in printed
    assert 'Not converted' not in printed
    convert(ours, back, '--to', 'microsoft')
    assert_same(dict(torch.load(back, weights_only=True)), dict(model=weights))
    for path in (tmp_path / 'swin.pth', ours, back):
        loaded = build(path)
        loaded.load_pretrained()
        assert_same(dict(loaded.state_dict()), without_index(tower()))


@pytest.mark.parametrize('prefix', ['backbone.', ''])
def test_mmpretrain_s(convert, write, tmp_path, prefix):
    """MMSegmentation's converter writes no prefix, and leaves the classifier's norm its name."""
    norm = {f'{prefix}norm3.weight' if prefix else 'norm.weight': torch.ones(64)}
    theirs = {**as_mmpretrain(tower(), prefix), **norm}
    path = write(dict(state_dict=theirs) if prefix else theirs)
    loaded = build(path)
    loaded.load_pretrained()
    assert_same(dict(loaded.state_dict()), without_index(tower()))
    convert(path, tmp_path / 'back.pth', '--to', 'mmpretrain')
    whole = {**as_mmpretrain(tower()), 'backbone.norm3.weight': torch.ones(64)}
    assert_same(read_checkpoint(tmp_path / 'back.pth')['state_dict'], whole)
    convert(path, tmp_path / 'microsoft.pth', '--to', 'microsoft')
    assert_same(read_checkpoint(tmp_path / 'microsoft.pth')['model'], {**tower(), 'norm.weight': torch.ones(64)})
    convert(tmp_path / 'microsoft.pth', tmp_path / 'again.pth', '--to', 'mmpretrain')
    assert_same(read_checkpoint(tmp_path / 'again.pth')['state_dict'], whole)


def test_timm_s(convert, write, tmp_path):
    """Its own modules give the names; a stage merges at its beginning."""
    depths, heads, width = ARCHITECTURE['layers'], ARCHITECTURE['heads'], ARCHITECTURE['channels']
    model = timm.create_model('swin_tiny_patch4_window7_224', img_size=128, window_size=4, embed_dim=width,
                              depths=depths, num_heads=heads, num_classes=3)
    weights = model.state_dict()
    loaded = build(write(weights))
    loaded.load_pretrained()
    for stage in range(3):
        cells = torch.randn(2, width * 2**stage, 6, 8)
        expected = model.layers[stage + 1].downsample(cells.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        assert torch.allclose(loaded.merge(stage, cells), expected, atol=1e-5)
    assert torch.equal(loaded.layers[2].blocks[1].attn.relative_position_bias_table,
                       weights['layers.2.blocks.1.attn.relative_position_bias_table'])
    convert(tmp_path / 'swin.pth', tmp_path / 'microsoft.pth', '--to', 'microsoft')
    assert read_checkpoint(tmp_path / 'microsoft.pth')['model'].keys() >= tower().keys()


def test_what_is_merged(write):
    """MMPretrain gathers four neighbours by nn.Unfold: the tower gives what that gives."""
    weights = as_mmpretrain(tower())
    loaded = build(write(dict(state_dict=weights)))
    loaded.load_pretrained()
    for stage in range(3):
        cells = torch.randn(2, CHANNELS * 2**stage, 6, 8)
        expected = merge_by_unfolding(weights, stage, cells)
        found = loaded.merge(stage, cells).flatten(2).transpose(1, 2)
        assert torch.allclose(found, expected, atol=1e-4)


def test_a_model_trained_here(convert, write, tmp_path):
    state = {f'encoder.image.{name}': value for name, value in without_index(tower()).items()}
    path = write(dict(state_dict={**state, 'encoder.text.weight': torch.zeros(1)}))
    found = read_published(SWIN_STAGES, path)
    assert found.others == ('encoder.text.weight', )
    assert_same(found.state, without_index(tower()))
    convert(path, tmp_path / 'microsoft.pth', '--to', 'microsoft')
    assert_same(read_checkpoint(tmp_path / 'microsoft.pth')['model'], tower())


def test_another_window(write):
    with pytest.raises(RuntimeError, match=r'does not fit the PaddedSwin of the config. Its windows have 3 x 3 cells, '
                       r'those of the config 4 x 4: set window=3 in the architecture, or give .* Of another shape: '
                       r'.*table \(25, 1\) in the file, \(49, 1\) in the model'):
        build(write(dict(model=classifier(window=3)))).load_pretrained()


def test_another_size(write):
    path = write(dict(model=classifier()))
    with pytest.raises(RuntimeError, match='swin.pth does not fit the PaddedSwin of the config. Missing: layers.0.bl'):
        build(path, layers=(2, 2, 2, 1)).load_pretrained()


def test_an_index_of_another_order(write):
    weights = tower()
    weights[f'layers.1.blocks.0.attn{INDEX}'] = weights[f'layers.1.blocks.0.attn{INDEX}'].flip(0)
    with pytest.raises(KeyMapError, match=r'layers.1.blocks.0.attn.relative_position_bias_table, .*: the rows of '
                       'relative positions are not those of a square window, in its order'):
        read_published(SWIN_STAGES, write(dict(model=weights)))
    weights[f'layers.1.blocks.0.attn{INDEX[:-5]}bias_table'] = torch.zeros(30, 2)
    with pytest.raises(KeyMapError, match=r'of a square window were expected, not the shape \(30, 2\)'):
        read_published(SWIN_STAGES, write(dict(model=weights)))


def test_leftover_keys(write):
    with pytest.raises(KeyMapError, match='no rule knows: absolute_pos_embed, layers.0.adapter.weight'):
        read_published(SWIN_STAGES, write(dict(model={
            **tower(), 'absolute_pos_embed': torch.zeros(1), 'layers.0.adapter.weight': torch.zeros(1)})))


def test_files_of_something_else(convert, write, tmp_path):
    message = 'it holds no PaddedSwin weights by the keys of Microsoft, timm, MMPretrain or mmris, but conv1.weight'
    with pytest.raises(UnreadableCheckpointError, match=message):
        convert(write({'conv1.weight': torch.zeros(1)}), tmp_path / 'ours.pth')
