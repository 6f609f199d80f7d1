"""SAM's image tower, prompt and mask decoder against the PyPI package segment-anything."""

import pytest
import torch

from mmris.models.encoders.towers import SAMTower
from mmris.models.heads import SAMMaskHead
from mmris.models.layers import GaussianPosition
from mmris.models.necks import PromptNeck
from mmris.structures import EncoderOutput, ImageFeatures, SharedRows, TextFeatures
from tests.conftest import assert_close
from tests.parity.sam_references import decoder, head_state, image_encoder, predict, tower_state

# 6 x 6 patches in windows of 4: padded, as SAM's 64 x 64 in windows of 14 are.
TOWER = dict(
    layers=4, channels=32, heads=2, global_layers=(2, 4), patch_size=8, image_size=48, window_size=4, out_channels=24)
# All of ViT-B but for its number of pixels.
VIT_B = dict(name='base', image_size=256)


@pytest.mark.parametrize('architecture', [TOWER, VIT_B], ids=['toy', 'ViT-B'])
@torch.no_grad()
def test_the_image_tower(architecture):
    torch.manual_seed(0)
    theirs = image_encoder(architecture)
    ours = SAMTower(architecture=architecture).eval()
    ours.load_state_dict(tower_state(theirs))
    pixels = torch.randn(2, 3, *[architecture['image_size']] * 2)
    found, = ours(pixels)
    assert_close(found, theirs(pixels))
    assert found.size(1) == ours.out_channels[0]


def encoded(maps: torch.Tensor, index: torch.Tensor, width: int = 20) -> EncoderOutput:
    """As a joint encoder gives it, with the maps of each image once."""
    count = len(index)
    return EncoderOutput(
        image=ImageFeatures(
            (torch.randn(count, width, 3, 3), ), torch.randn(count, 9, width), torch.randn(count, width)),
        text=TextFeatures(
            torch.randn(count, 5, width), torch.randn(count, 5, width), torch.randn(count, width),
            torch.ones(count, 5, dtype=torch.bool)),
        image_index=torch.arange(count),
        maps=SharedRows((maps, ), index))


@pytest.mark.parametrize('grid', [(8, 8), (5, 7)])
@pytest.mark.parametrize('index', [(0, ), (1, 1, 0, 2, 1), (2, )], ids=['one', 'several', 'fewer than images'])
@torch.no_grad()
def test_prompt_and_mask_decoder(grid, index):
    torch.manual_seed(0)
    channels, index = 32, torch.tensor(index)
    theirs = decoder(channels, grid)
    neck = PromptNeck(in_channels=20, channels=channels)
    neck.no_mask.copy_(theirs.prompt_encoder.no_mask_embed.weight[0])
    head = SAMMaskHead(channels=channels, num_heads=4, feedforward_channels=40).eval()
    head.load_state_dict(head_state(theirs))
    given = encoded(torch.randn(3, channels, *grid), index)
    fused = neck(given)
    linear, _, last = neck.projection
    assert_close(fused.sentence, last(linear(given.image.image_global).relu()))
    assert_close(head(fused), predict(theirs, given.maps.values[0], fused.sentence, index))


@torch.no_grad()
def test_positions_of_a_grid():
    theirs = decoder(32, (5, 7)).prompt_encoder
    ours = GaussianPosition(32)
    ours.directions.copy_(theirs.pe_layer.positional_encoding_gaussian_matrix)
    assert_close(ours(5, 7).T.unflatten(1, (5, 7))[None], theirs.get_dense_pe())
