"""SAM's prompt and mask decoder as neck and head: what is computed once an image, what is trained, what is refused."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from mmris.models.heads import SAMMaskHead
from mmris.models.layers import GaussianPosition, TwoWayTransformer
from mmris.models.layers.two_way_transformer import TwoWayAttention
from mmris.models.necks import PromptNeck
from mmris.registry import MODELS
from mmris.structures import SharedRows
from tests.parity.test_segment_anything import encoded

CHANNELS = 32


def stages() -> tuple:
    torch.manual_seed(0)
    neck = MODELS.build(dict(type='PromptNeck', in_channels=20, channels=CHANNELS))
    return neck, MODELS.build(dict(type='SAMMaskHead', channels=CHANNELS, num_heads=4, feedforward_channels=40))


def test_an_image_is_one_row_until_it_sees_the_sentence():
    """All projections of the image in the first layer work on one row an image, those after it on one a sentence."""
    neck, head = stages()
    rows = {}
    for name, module in head.transformer.named_modules():
        if isinstance(module, nn.Linear):
            module.register_forward_hook(lambda _, given, __, name=name: rows.update({name: len(given[0])}))
    fused = neck(encoded(torch.randn(2, CHANNELS, 4, 4), torch.tensor([0, 1, 1, 0, 1])))
    assert len(fused.maps.values[0]) == 2
    assert head(fused).shape == (5, 1, 16, 16)
    once = {name for name, count in rows.items() if count == 2}
    assert once == {'layers.0.to_image.key', 'layers.0.to_image.value', 'layers.0.to_tokens.query'}
    assert set(rows.values()) == {2, 5}


def test_images_that_no_sentence_is_about_are_left_out():
    neck, _ = stages()
    maps = torch.randn(6, CHANNELS, 4, 4)
    given = encoded(maps, torch.tensor([4, 1]))
    fused = neck(given)
    assert fused.maps.index.tolist() == [0, 1]
    assert torch.equal(fused.maps.values[0], maps[[4, 1]] + neck.no_mask[:, None, None])


def test_finer_maps_are_handed_on():
    neck, _ = stages()
    given = encoded(torch.randn(2, CHANNELS, 4, 4), torch.tensor([0, 1, 1]))
    finer = torch.randn(2, 8, 8, 8)
    found = neck(replace(given, maps=SharedRows((finer, *given.maps.values), given.maps.index))).maps.values
    assert found[0] is finer and torch.equal(found[1], given.maps.values[0] + neck.no_mask[:, None, None])


def test_what_gets_a_gradient():
    """All but the masks and the quality that are not predicted."""
    neck, head = stages()
    head(neck(encoded(torch.randn(2, CHANNELS, 4, 4), torch.tensor([0, 1, 1])))).square().sum().backward()
    assert all(value.grad is not None for value in neck.parameters())
    idle = ('mask_mlps.1.', 'mask_mlps.2.', 'mask_mlps.3.', 'quality_mlp.')
    for name, value in head.named_parameters():
        assert (value.grad is None) == name.startswith(idle), name


def test_published_sizes():
    """The prompt encoder's 256 numbers that are used and its directions, the projector of EVF-SAM, the decoder."""
    with torch.device('meta'):
        neck, head = PromptNeck(in_channels=1024), SAMMaskHead()
    assert sum(value.numel() for value in neck.projection.parameters()) == 1024 * 1025 + 256 * 1025
    assert neck.no_mask.numel() == head.positions.directions.numel() == 256
    assert sum(value.numel() for value in head.parameters()) / 1e6 == pytest.approx(4.06, abs=0.005)


def test_positions_stay_exact_in_half_precision():
    positions = GaussianPosition(8)
    before = positions(3, 4)
    holder = nn.Sequential(positions).half()
    assert holder[0].directions.dtype == torch.float32 and torch.equal(positions(3, 4), before)
    assert positions.double()(3, 4).dtype == torch.float32
    with torch.autocast('cpu', torch.bfloat16):
        assert torch.equal(positions(3, 4), before)


def test_half_precision():
    neck, head = stages()
    given = encoded(torch.randn(2, CHANNELS, 4, 4), torch.tensor([0, 1, 1]))
    expected = head(neck(given))
    found = head.bfloat16()(neck.bfloat16()(given.map(lambda one: one.bfloat16() if one.is_floating_point() else one)))
    assert found.dtype == torch.bfloat16
    assert (found.float() - expected).abs().max() < 0.1 * expected.abs().max()


@pytest.mark.parametrize('build, message', [
    (lambda: SAMMaskHead(channels=12), 'channels of SAMMaskHead must be divisible by 8, but got 12'),
    (lambda: SAMMaskHead(num_masks=0), 'num_masks of SAMMaskHead must be at least 1, but got 0'),
    (lambda: TwoWayAttention(32, 8, 8), r'channels \(32\) of attention must be divisible by downsample \(8\) times'),
    (lambda: GaussianPosition(3), 'channels of a Gaussian position must be even, but got 3'),
    (lambda: TwoWayTransformer(channels=8, num_layers=0, num_heads=1, feedforward_channels=8, downsample=1),
     'num_layers of TwoWayTransformer must be at least 1, but got 0'),
])
def test_arguments_that_are_none(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_inputs_that_do_not_fit():
    neck, head = stages()
    given = encoded(torch.randn(2, CHANNELS, 4, 4), torch.tensor([0, 1, 1]))
    with pytest.raises(ValueError, match='PromptNeck prompts a segmenter, but the encoder gives no maps of one: take'):
        neck(replace(given, maps=None))
    with pytest.raises(ValueError, match='SAMMaskHead takes a prompt and the maps of an image, but the neck hands on'):
        head(replace(neck(given), maps=None))
    with pytest.raises(ValueError, match='in_channels of PromptNeck is 20, but the width of the whole image is 24'):
        neck(encoded(torch.randn(1, CHANNELS, 4, 4), torch.tensor([0]), width=24))
    with pytest.raises(ValueError, match='channels of PromptNeck is 32, but the width of the deepest map is 16'):
        neck(encoded(torch.randn(1, 16, 4, 4), torch.tensor([0])))
    with pytest.raises(ValueError, match='channels of SAMMaskHead is 32, but the width of the prompt is 16'):
        head(replace(neck(given), sentence=torch.zeros(3, 16)))
