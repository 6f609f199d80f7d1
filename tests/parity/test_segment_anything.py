"""SAM's image tower, prompt and mask decoder against the PyPI package segment-anything."""

import pytest
import torch

from mmris.models.encoders.towers import SAMTower
from tests.conftest import assert_close
from tests.parity.sam_references import image_encoder, tower_state

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
