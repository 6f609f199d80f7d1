"""From logits on the model's grid to probabilities on the original pixels."""

from typing import Tuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def to_original_pixels(logits: Tensor, affine: np.ndarray, input_size: Tuple[int, int],
                       original_size: Tuple[int, int]) -> Tensor:
    """Take sigmoids, then resample once (bilinear) through the inverse of the input's affine map.

    Args:
        logits (Tensor): ``(S, 1, h, w)`` of S expressions about one image.
        affine (ndarray): ``(2, 3)``, the map from original to input coordinates, both continuous (the first pixel
            reaches from 0 to 1). Only scale and shift, no rotation.
        input_size (tuple[int, int]): ``(H, W)`` of the input in pixels.
        original_size (tuple[int, int]): ``(H0, W0)`` of the image in pixels.

    Returns:
        Tensor: ``(S, H0, W0)`` float32 in [0, 1].
    """

    def sample_positions(count: int, scale: float, shift: float, length: int) -> Tensor:
        centre = torch.arange(count, dtype=torch.float64) + 0.5
        return (2 * (centre * scale + shift) / length - 1).float().to(logits.device)

    height, width = original_size
    y = sample_positions(height, affine[1, 1], affine[1, 2], input_size[0])
    x = sample_positions(width, affine[0, 0], affine[0, 2], input_size[1])
    grid = torch.stack((x.expand(height, -1), y[:, None].expand(-1, width)), dim=-1)
    probabilities = logits.float().sigmoid()
    # All expressions of an image share one grid, so that they can be channels of one map.
    return F.grid_sample(
        probabilities.transpose(0, 1), grid[None], mode='bilinear', padding_mode='border', align_corners=False)[0]
