"""The ways from the model's grid to original pixels, each beside another library's sampling."""

import numpy as np
import pytest
import torch

from mmris.protocols import find_protocol
from mmris.registry import TRANSFORMS


def test_one_resampling_of_probabilities():
    """Upsampling logits of 1/4 of the input by 4 equals torch's bilinear interpolation of their sigmoids."""
    logits = torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    affine = np.array([[1.0, 0, 0], [0, 1.0, 0]])
    probabilities = find_protocol('mmris').to_original_pixels(logits, affine, (32, 32), (32, 32))
    expected = torch.nn.functional.interpolate(
        logits.sigmoid(), size=(32, 32), mode='bilinear', align_corners=False)
    assert torch.allclose(probabilities, expected[:, 0], atol=1e-5)


@pytest.mark.parametrize('original', [(48, 96), (20, 31)])
def test_cubic_as_cris_does(original):
    """Bicubic with aligned corners to the input, then cubic through a letterbox, against torch's own sampling."""
    logits = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    results = TRANSFORMS.build(dict(type='Letterbox', size=64))(dict(img=np.zeros((*original, 3), dtype=np.uint8)))
    affine = results['affine']
    probabilities = find_protocol('mmris', 'cris').to_original_pixels(logits, affine, (64, 64), original)
    at_input = torch.nn.functional.interpolate(logits.sigmoid(), size=(64, 64), mode='bicubic', align_corners=True)
    x, y = ((torch.arange(count) + 0.5) * affine[axis, axis] + affine[axis, 2]
            for axis, count in enumerate(original[::-1]))
    grid = torch.stack((x.expand(len(y), -1), y[:, None].expand(-1, len(x))), dim=-1) / 32 - 1
    expected = torch.nn.functional.grid_sample(
        at_input, grid.float().expand(2, -1, -1, -1), mode='bicubic', padding_mode='zeros', align_corners=False)
    assert probabilities.shape == (2, *original)
    # OpenCV places samples on 32nds of a pixel.
    assert (probabilities - expected[:, 0].clamp(0, 1)).abs().max() < 0.02
    once = find_protocol('mmris').to_original_pixels(logits, affine, (64, 64), original)
    assert (probabilities - once).abs().max() > 0.05


def test_threshold_first_as_shared_ris_does():
    """Each original pixel is that of the cell it lies in, whole."""
    logits = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    results = TRANSFORMS.build(dict(type='Resize', size=64))(dict(img=np.zeros((16, 24, 3), dtype=np.uint8)))
    probabilities = find_protocol('shared_ris').to_original_pixels(logits, results['affine'], (64, 64), (16, 24))
    expected = (logits[:, 0].sigmoid() > 0.35).float().repeat_interleave(2, dim=1).repeat_interleave(3, dim=2)
    assert torch.equal(probabilities, expected)
