"""How images become inputs, without a pipeline."""

import numpy as np
import pytest
import torch
from PIL import Image

from mmris.images.geometry import Letterbox
from mmris.images.pillow_geometry import LongestSideThenStretch
from mmris.protocols.geometry import longest_side_size


@pytest.mark.parametrize('original', [(48, 96), (37, 21), (200, 133), (1, 7)])
@pytest.mark.parametrize('size', [64, (40, 72)])
def test_fit_then_stretch_as_torch(original, size):
    """The second interpolation is the bilinear one of torch, which the published code uses."""
    pixels = np.random.default_rng(0).integers(0, 256, (*original, 3), dtype=np.uint8)
    geometry = LongestSideThenStretch(size=size)
    height, width = longest_side_size(original, geometry.size)
    fitted = np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR))
    expected = torch.nn.functional.interpolate(
        torch.tensor(fitted).permute(2, 0, 1)[None].float(), size=geometry.size, mode='bilinear', align_corners=False)
    found = geometry.place_image(pixels)
    assert found.shape == (*geometry.size, 3) and found.dtype == np.float32
    assert np.abs(found - expected[0].permute(1, 2, 0).numpy()).max() <= 1e-3


def test_size():
    with pytest.raises(ValueError, match=r'size of Letterbox is a height and a width in pixels, but got \(3, 0\)'):
        Letterbox(size=(3, 0))
