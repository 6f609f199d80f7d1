"""Checkpoints in MMPretrain's layout of Swin, and ours."""

import pytest
import torch
from torch import nn

from mmris.checkpoints import UnreadableCheckpointError, read_checkpoint, read_published
from mmris.checkpoints.published import SWIN
from mmris.models.encoders import TimmTower
from mmris.registry import MODELS
from tests.checkpoints.published.conversions import converter
from tests.conftest import assert_same
from tests.test_configs import TOY_SWIN

CHANNELS, DEPTHS, HEADS = 8, (1, 1, 2, 1), (1, 2, 2, 2)


def published(window: int = 4, depths: tuple = DEPTHS) -> dict:
    """A classifier's weights, as MMPretrain names them."""
    generator = torch.Generator().manual_seed(1)

    def random(*shape):
        return torch.randn(*shape, generator=generator) / 4

    def layer(name, inputs, outputs):
        return {f'{name}.weight': random(outputs, inputs), f'{name}.bias': random(outputs)}

    def norm(name, width):
        return {f'{name}.weight': random(width), f'{name}.bias': random(width)}

    state = {'patch_embed.projection.weight': random(CHANNELS, 3, 4, 4),
             'patch_embed.projection.bias': random(CHANNELS), **norm('patch_embed.norm', CHANNELS),
             **norm('norm3', 8 * CHANNELS)}
    for stage, (depth, heads) in enumerate(zip(depths, HEADS)):
        width = CHANNELS * 2**stage
        for number in range(depth):
            block = f'stages.{stage}.blocks.{number}'
            attention = f'{block}.attn.w_msa'
            state.update({
                **norm(f'{block}.norm1', width), **norm(f'{block}.norm2', width),
                **layer(f'{attention}.qkv', width, 3 * width), **layer(f'{attention}.proj', width, width),
                f'{attention}.relative_position_bias_table': random((2 * window - 1)**2, heads),
                f'{attention}.relative_position_index': position_index(window),
                **layer(f'{block}.ffn.layers.0.0', width, 4 * width),
                **layer(f'{block}.ffn.layers.1', 4 * width, width),
            })
        if stage < 3:
            state.update(norm(f'stages.{stage}.downsample.norm', 4 * width))
            state[f'stages.{stage}.downsample.reduction.weight'] = random(2 * width, 4 * width)
    return {**{f'backbone.{name}': value for name, value in state.items()}, 'head.fc.weight': torch.ones(3, 64)}


def position_index(window: int) -> torch.Tensor:
    """The row of the table for each two places of a window."""
    places = [(row, column) for row in range(window) for column in range(window)]
    return torch.tensor([[(row - other[0] + window - 1) * (2 * window - 1) + column - other[1] + window - 1
                          for other in places] for row, column in places])


def tower(path: object, **options) -> TimmTower:
    torch.manual_seed(0)
    return MODELS.build(dict(TOY_SWIN, joint_channels=24, pretrained=None if path is None else str(path), **options))


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
    assert 'of Swin (embed_dim 8, depths [1, 1, 2, 1], num_heads [1, 2, 2, 2])' in convert(write(weights), ours)
    convert(ours, back, '--to', 'mmpretrain')
    assert_same(read_checkpoint(back)['state_dict'], weights)
    loaded = tower(ours)
    loaded.load_pretrained()
    assert torch.equal(loaded.timm.patch_embed.proj.weight, weights['backbone.patch_embed.projection.weight'])


def merge_by_unfolding(weights: dict, stage: int, cells: torch.Tensor) -> torch.Tensor:
    """What MMPretrain's merging, by nn.Unfold, makes of a map ``(M, C, h, w)``: ``(M, N, 2 C)``."""
    name = f'backbone.stages.{stage}.downsample'
    norm = nn.LayerNorm(4 * cells.size(1))
    norm.weight.data, norm.bias.data = weights[f'{name}.norm.weight'], weights[f'{name}.norm.bias']
    gathered = norm(nn.functional.unfold(cells, 2, stride=2).transpose(1, 2))
    return gathered @ weights[f'{name}.reduction.weight'].T


def test_what_is_merged(write):
    """MMPretrain gathers four neighbours by nn.Unfold, timm by slices: the same numbers in another order."""
    weights = published()
    loaded = tower(write(weights))
    loaded.load_pretrained()
    for stage in range(3):
        cells = torch.randn(2, CHANNELS * 2**stage, 6, 8)
        expected = merge_by_unfolding(weights, stage, cells)
        found = loaded.timm.layers[stage + 1].downsample(cells.permute(0, 2, 3, 1))
        assert torch.allclose(found.flatten(1, 2), expected, atol=1e-5)


def test_a_model_trained_here(write):
    """The projection is not Swin's."""
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
    assert_same(dict(loaded.timm.state_dict()), dict(source.timm.state_dict()))
    assert torch.equal(loaded.projection.weight, projection)


def test_masks_of_old_versions(write):
    weights = published()
    loaded = tower(write({**weights, 'backbone.stages.0.blocks.0.attn_mask': torch.zeros(4, 16, 16)}))
    loaded.load_pretrained()
    assert torch.equal(loaded.timm.norm.weight, weights['backbone.norm3.weight'])


def test_another_window(write):
    """timm resizes the relative positions."""
    loaded = tower(write(published(window=3)))
    loaded.load_pretrained()
    assert loaded.timm.layers[0].blocks[0].attn.relative_position_bias_table.shape == (49, 1)


def test_another_swin(write):
    with pytest.raises(RuntimeError, match='does not fit swin_tiny_patch4_window7_224 of timm, .* cannot read it'):
        tower(write(published(depths=(1, 2, 2, 1)))).load_pretrained()
    weights = published()
    del weights['backbone.stages.0.downsample.norm.weight'], weights['backbone.norm3.bias']
    with pytest.raises(RuntimeError, match='Missing: .*downsample.norm.weight.* Left over: none'):
        tower(write(weights)).load_pretrained()


def test_files_of_something_else(monkeypatch, capsys, write, tmp_path):
    convert, path = converter(monkeypatch, capsys, 'swin'), write({'backbone.conv1.weight': torch.zeros(1)})
    message = 'it holds no Swin weights by the keys of MMPretrain or mmris, but backbone.conv1.weight'
    with pytest.raises(UnreadableCheckpointError, match=message):
        convert(path, tmp_path / 'ours.pth')
    with pytest.raises(RuntimeError, match='does not fit swin_tiny_patch4_window7_224 of timm'):
        tower(path).load_pretrained()
    with pytest.raises(ValueError, match='neither a file nor a folder nor a tag of timm: tags of swin_tiny'):
        tower(tmp_path / 'none.pth').load_pretrained()
