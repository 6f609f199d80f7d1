"""Swin as segmentation runs it, against timm's where windows divide the maps and MMPretrain's where they do not."""

from typing import Any, Dict, List

import pytest
import timm
import torch
from mmpretrain.models import SwinTransformer
from torch import Tensor, nn

from mmris.models.encoders import PaddedSwin
from mmris.models.encoders.towers.swin_block import PatchMerging, shift_mask, split_windows
from tests.conftest import assert_close

MEASURES = dict(layers=(2, 2, 4, 2), channels=12, heads=(1, 2, 3, 4), window=4)
# Ours, and MMPretrain's.
RENAMED = (('layers.', 'stages.'), ('patch_embed.proj', 'patch_embed.projection'), ('.attn.', '.attn.w_msa.'),
           ('.mlp.fc1.', '.ffn.layers.0.0.'), ('.mlp.fc2.', '.ffn.layers.1.'))


def tower(**options: Any) -> PaddedSwin:
    """In double precision, with no weight left where it starts."""
    torch.manual_seed(0)
    built = PaddedSwin(**{**dict(architecture=MEASURES), **options}).double()
    with torch.no_grad():
        for value in built.parameters():
            value.add_(0.2 * torch.randn_like(value))
    return built


def stages_of(swin: PaddedSwin, pixels: Tensor) -> List[Tensor]:
    cells, stages = swin.stem(pixels), []
    for index in range(len(swin.channels)):
        cells = swin.run_stage(index, cells)
        stages.append(cells)
        if index + 1 < len(swin.channels):
            cells = swin.merge(index, cells)
    return stages


def pixels_of(height: int, width: int, count: int = 2) -> Tensor:
    return torch.randn(count, 3, height, width, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def to_mmpretrain(state: Dict[str, Tensor]) -> Dict[str, Tensor]:
    renamed = {}
    for name, value in state.items():
        if 'downsample' in name:
            *rest, width = value.shape
            value = value.view(*rest, 4, width // 4)[..., [0, 2, 1, 3], :].transpose(-1, -2).reshape(value.shape)
        for mine, theirs in RENAMED:
            name = name.replace(mine, theirs, 1)
        renamed[name] = value
    return renamed


class TestAgainstTimm:

    def test_where_windows_divide_every_map(self):
        mine = tower().eval()
        theirs = timm.create_model(
            'swin_tiny_patch4_window7_224', img_size=256, embed_dim=12, depths=(2, 2, 4, 2), num_heads=(1, 2, 3, 4),
            window_size=4, num_classes=0).double().eval()
        state = {}
        for name, value in mine.state_dict().items():
            if 'downsample' in name:
                _, stage, rest = name.split('.', 2)
                name = f'layers.{int(stage) + 1}.{rest}'
            state[name] = value
        assert set(theirs.state_dict()) - set(state) == {'norm.weight', 'norm.bias'}
        theirs.load_state_dict(state, strict=False)
        pixels = pixels_of(256, 256, count=1)
        expected = theirs.forward_intermediates(pixels, intermediates_only=True)
        for stage, their_stage in zip(stages_of(mine, pixels), expected, strict=True):
            assert_close(stage, their_stage, 1e-10)

    def test_where_they_do_not_it_is_another_function(self):
        """So that timm cannot stand for it: at 480 pixels the last map has 15 cells, not whole windows of 12."""
        mine = tower(architecture=dict(MEASURES, layers=(2, 2), heads=(1, 2))).eval()
        theirs = timm.create_model(
            'swin_tiny_patch4_window7_224', img_size=84, embed_dim=12, depths=(2, 2), num_heads=(1, 2), window_size=4,
            num_classes=0, strict_img_size=False).double().eval()
        state = {name.replace('layers.0.downsample', 'layers.1.downsample'): value
                 for name, value in mine.state_dict().items()}
        theirs.load_state_dict(state, strict=False)
        pixels = pixels_of(84, 84)
        expected = theirs.forward_intermediates(pixels, intermediates_only=True)
        assert (stages_of(mine, pixels)[0] - expected[0]).abs().max() > 1e-3


class TestAgainstMMPretrain:

    # Maps of 30, 15, 8 and 4 cells a side, of 13 x 7 to 2 x 1, and smaller than a window.
    @pytest.mark.parametrize('height, width', [(120, 120), (52, 28), (8, 12)])
    @pytest.mark.parametrize('window', [4, 7])
    def test_stages_and_gradients(self, height, width, window):
        mine = tower(architecture=dict(MEASURES, window=window), drop_path=0.0)
        arch = dict(embed_dims=12, depths=(2, 2, 4, 2), num_heads=(1, 2, 3, 4))
        theirs = SwinTransformer(
            arch=arch, window_size=window, drop_path_rate=0.0, out_indices=(0, 1, 2, 3), pad_small_map=True).double()
        # What they give on is normed, which here it is not.
        for stage in range(4):
            setattr(theirs, f'norm{stage}', nn.Identity())
        missing, unexpected = theirs.load_state_dict(to_mmpretrain(mine.state_dict()), strict=False)
        assert not unexpected and all(name.endswith('relative_position_index') for name in missing)
        pixels = pixels_of(height, width)
        stages, expected = stages_of(mine, pixels), theirs(pixels)
        for stage, their_stage in zip(stages, expected, strict=True):
            assert_close(stage, their_stage, 1e-10)
        torch.manual_seed(2)
        weights = [torch.randn_like(stage) for stage in stages]
        for found in (stages, expected):
            sum((weight * stage).sum() for weight, stage in zip(weights, found)).backward()
        gradients = to_mmpretrain({name: value.grad for name, value in mine.named_parameters()})
        for name, value in theirs.named_parameters():
            assert (gradients[name] - value.grad).abs().max() <= 1e-9 * max(1, value.grad.abs().max()), name


class TestForm:

    @pytest.mark.parametrize('name', ['tiny', 'small', 'base', 'base_window12', 'large', 'large_window12'])
    def test_sizes(self, name):
        """Of timm's models of these names, but for their last norm."""
        size, _, window = name.partition('_window')
        theirs = f'swin_{size}_patch4_window12_384' if window else f'swin_{size}_patch4_window7_224'
        with torch.device('meta'):
            mine = PaddedSwin(architecture=name)
            reference = timm.create_model(theirs, num_classes=0)
        last = mine.channels[-1]
        count, expected = (sum(value.numel() for value in one.parameters()) for one in (mine, reference))
        assert count == expected - 2 * last
        assert mine.stride == (32, 32) and mine.channels == tuple(mine.cell_channels * 2**stage for stage in range(4))

    def test_names(self):
        """Swin's own, which published files have; what is derived is not saved."""
        names = set(PaddedSwin(architecture=dict(MEASURES, layers=(1, 1), heads=(1, 2))).state_dict())
        block = {f'{part}.{kind}' for part in ('norm1', 'norm2', 'attn.qkv', 'attn.proj', 'mlp.fc1', 'mlp.fc2')
                 for kind in ('weight', 'bias')} | {'attn.relative_position_bias_table'}
        assert names == {
            *(f'patch_embed.{part}.{kind}' for part in ('proj', 'norm') for kind in ('weight', 'bias')),
            *(f'layers.{stage}.blocks.0.{name}' for stage in (0, 1) for name in block),
            'layers.0.downsample.norm.weight', 'layers.0.downsample.norm.bias', 'layers.0.downsample.reduction.weight'}

    def test_drop_path_rises_over_all_blocks(self):
        swin = PaddedSwin(architecture=MEASURES, drop_path=0.3)
        rates = [getattr(block.drop_path, 'drop_prob', 0.0) for stage in swin.layers for block in stage.blocks]
        assert rates == pytest.approx([0.3 * number / 9 for number in range(10)])
        cells = torch.randn(64, 96, 3, 3)
        swin.train()
        torch.manual_seed(0)
        assert not torch.equal(swin.run_stage(3, cells), swin.eval().run_stage(3, cells))

    def test_cells_across_the_edge_are_apart(self):
        """A shift by 2 of 4 brings rows 0 and 1 of a map behind its last: each window has four regions at most."""
        mask = shift_mask(torch.zeros(1, 7, 8, 3), 4, 2)
        assert mask.shape == (4, 16, 16) and set(mask.unique().tolist()) == {-100.0, 0.0}
        assert not mask[0].any() and [len(set(map(tuple, one.tolist()))) for one in mask] == [1, 2, 2, 4]
        places = split_windows(torch.arange(64.0).view(1, 8, 8, 1), 4)[0, 3, :, 0].view(4, 4)
        assert places[0].tolist() == [36, 37, 38, 39] and places[:, 0].tolist() == [36, 44, 52, 60]

    def test_neighbours_are_merged_by_columns(self):
        merging = PatchMerging(1).double()
        merging.norm = nn.Identity()
        with torch.no_grad():
            merging.reduction.weight.copy_(torch.tensor([[1.0, 0, 0, 0], [0, 1, 0, 0]]))
        cells = torch.arange(1.0, 16, dtype=torch.float64).view(1, 3, 5, 1)
        assert merging(cells)[0, :, :, 0].tolist() == [[1, 3, 5], [11, 13, 15]]
        # The neighbour below; below the last row there is padding.
        assert merging(cells)[0, :, :, 1].tolist() == [[6, 8, 10], [0, 0, 0]]

    def test_activation_checkpointing(self):
        found = []
        for activation_checkpointing in (False, True):
            swin = tower(activation_checkpointing=activation_checkpointing).train()
            torch.manual_seed(3)
            stages_of(swin, pixels_of(64, 64))[-1].square().sum().backward()
            found.append([value.grad for value in swin.parameters()])
        assert all(torch.equal(one, other) for one, other in zip(*found))

    @pytest.mark.parametrize('architecture, message', [
        ('huge', "architecture 'huge' is no Swin. Known: tiny, small, base, base_window12"),
        (dict(depths=(2, 2)), 'entries that Swin has not: depths. It takes name, layers, channels, heads, window'),
        (dict(layers=(2, 2)), r'a number for each stage, of which there are two or more, but got \(2, 2\) and \(4, 8,'),
        (dict(layers=(2, ), heads=(2, )), 'two or more'),
        (dict(heads=(4, 8, 16, 48)), 'must divide the width of their stage, but stage 4 has 48 heads and 1024'),
    ])
    def test_bad_architectures(self, architecture, message):
        with pytest.raises(ValueError, match=message):
            PaddedSwin(architecture=architecture)

    def test_bad_drop_path(self):
        with pytest.raises(ValueError, match=r'drop_path of PaddedSwin must be in \[0, 1\), but got 1.0'):
            PaddedSwin(architecture='tiny', drop_path=1.0)
