"""Run lengths beside those of pycocotools."""

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from mmris.utils.run_lengths import encode_mask


def compare(mask):
    expected = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    assert encode_mask(mask) == dict(size=expected['size'], counts=expected['counts'].decode())


@pytest.mark.parametrize('share', [0, 0.001, 0.1, 0.5, 0.9, 0.999, 1])
@pytest.mark.parametrize('size', [(1, 1), (1, 9), (7, 1), (2, 3), (48, 31), (300, 501)])
def test_random_masks(size, share):
    generator = np.random.default_rng(0)
    for _ in range(5):
        compare(generator.random(size) < share)


@pytest.mark.parametrize('dtype', [bool, np.uint8])
def test_blocks_and_single_pixels(dtype):
    """Runs that are long, of one pixel, and that begin or end with the image."""
    for place in [(0, 0), (0, 639), (479, 0), (479, 639), (100, 200)]:
        mask = np.zeros((480, 640), dtype)
        mask[place] = 1
        compare(mask)
        compare(1 - mask.astype(np.uint8))
    mask = np.zeros((480, 640), dtype)
    mask[100:200, 300:] = 1
    mask[::7, :40] = 1
    compare(mask)
