"""SAM 2's image tower and mask decoder against transformers."""

from dataclasses import replace

import pytest
import torch

from mmris.models.encoders.towers import SAM2Tower
from mmris.models.heads import SAM2MaskHead
from mmris.models.heads.sam2_mask_head import is_stable
from mmris.models.necks import PromptNeck
from mmris.structures import SharedRows
from tests.conftest import assert_close
from tests.parity.sam2_references import our_state, predict, sam2_model
from tests.parity.test_segment_anything import encoded

# 64 pixels are 16, 8, 4 and 2 cells: windows are padded in the last two stages, as SAM 2's are in its smaller models.
TOWER = dict(
    layers=(1, 2, 3, 1), channels=8, heads=1, global_layers=(5, ), window_sizes=(8, 4, 6, 3), position_grid=3,
    out_channels=32)
# All of the smallest and, but for most of its layers, of the published one.
TINY = 'tiny'
LARGE = dict(name='large', layers=(2, 1, 3, 1), global_layers=(5, ))


@pytest.mark.parametrize('architecture, size', [(TOWER, 64), (TOWER, 96), (TINY, 160), (LARGE, 128)])
@torch.no_grad()
def test_the_image_tower(architecture, size):
    torch.manual_seed(0)
    theirs = sam2_model(architecture, size)
    ours = SAM2Tower(architecture=architecture).eval()
    ours.load_state_dict(our_state(theirs, 'encoder.segmenter.'))
    pixels = torch.randn(2, 3, size, size)
    maps, expected = ours(pixels), theirs.get_image_embeddings(pixels)
    assert len(maps) == len(expected) == 3 and tuple(one.size(1) for one in maps) == ours.out_channels
    for found, one in zip(maps, expected):
        assert_close(found, one)


@pytest.fixture(scope='module')
def decoder():
    """Theirs, with a first mask that is stable for some prompts."""
    torch.manual_seed(0)
    theirs = sam2_model(TOWER, 64)
    last = theirs.mask_decoder.output_hypernetworks_mlps[0].proj_out
    last.weight.data *= 35
    last.bias.data *= 35
    return theirs


@pytest.mark.parametrize('training', [True, False], ids=['training', 'evaluation'])
@pytest.mark.parametrize('mask', ['best', 'stable'])
@pytest.mark.parametrize('index', [(0, ), (1, 1, 0, 2, 1, 0, 2, 0, 1, 0, 0, 2)], ids=['one', 'several'])
@torch.no_grad()
def test_prompt_and_mask_decoder(decoder, index, mask, training):
    torch.manual_seed(0)
    index, size = torch.tensor(index), 64
    neck = PromptNeck(in_channels=20, channels=32)
    neck.no_mask.copy_(decoder.prompt_encoder.no_mask_embed.weight[0])
    head = SAM2MaskHead(channels=32, num_heads=2, feedforward_channels=40, mask=mask)
    head.load_state_dict(our_state(decoder, 'head.'))
    maps = tuple(
        torch.randn(3, channels, size // stride, size // stride) for channels, stride in ((4, 4), (8, 8), (32, 16)))
    given = encoded(maps[-1], index)
    fused = neck(replace(given, maps=SharedRows(maps, index)))
    expected = predict(decoder.train(training), maps, fused.sentence, index, mask)
    # Chosen masks are of very different sizes.
    for one, other in zip(head.train(training)(fused), expected, strict=True):
        assert_close(one, other)
    if len(index) > 1 and mask == 'stable':
        first = predict(decoder.train(), maps, fused.sentence, index, mask)
        stable = is_stable(first).flatten()
        assert 0 < stable.sum() < len(index)
        kept = (expected == first).flatten(1).all(dim=1)
        assert torch.equal(kept, torch.ones_like(stable) if training else stable)


@pytest.mark.parametrize('scale', [0.01, 0.1, 1, 10])
def test_what_is_stable(decoder, scale):
    """Of blobs, and of masks without any cell above -0.05 or above 0.05."""
    torch.manual_seed(0)
    logits = torch.nn.functional.interpolate(scale * torch.randn(40, 1, 3, 3), size=(64, 64), mode='bicubic') + scale
    logits = torch.cat((logits, logits.new_full((1, 1, 64, 64), -1), logits.new_full((1, 1, 64, 64), -0.01)))
    expected = decoder.mask_decoder._get_stability_scores(logits) >= 0.98
    assert torch.equal(is_stable(logits).flatten(), expected.flatten())
    assert expected[-2:].flatten().tolist() == [True, False]
