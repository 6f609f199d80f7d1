"""The project's own protocol, the default: one bilinear resampling of probabilities to the original pixels."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .protocol import Protocol, Size


def resample_once(values: Tensor,
                  affine: np.ndarray,
                  input_size: Size,
                  original_size: Size,
                  mode: str = 'bilinear') -> Tensor:
    """Sample the model's grid at the centre of each original pixel.

    Args:
        values (Tensor): ``(S, 1, h, w)`` float32.
        affine (ndarray): ``(2, 3)``, the map from original to input coordinates, both continuous.
        input_size (tuple[int, int]): ``(H, W)`` of the input in pixels, which the grid covers.
        original_size (tuple[int, int]): ``(H0, W0)`` of the image in pixels.
        mode (str): ``'bilinear'`` or ``'nearest'``. Default: ``'bilinear'``.

    Returns:
        Tensor: ``(S, H0, W0)`` float32.
    """

    def sample_positions(count: int, scale: float, shift: float, length: int) -> Tensor:
        centre = torch.arange(count, dtype=torch.float64) + 0.5
        return (2 * (centre * scale + shift) / length - 1).float().to(values.device)

    height, width = original_size
    y = sample_positions(height, affine[1, 1], affine[1, 2], input_size[0])
    x = sample_positions(width, affine[0, 0], affine[0, 2], input_size[1])
    grid = torch.stack((x.expand(height, -1), y[:, None].expand(-1, width)), dim=-1)
    # All expressions of an image share one grid, so that they can be channels of one map.
    return F.grid_sample(
        values.transpose(0, 1), grid[None], mode=mode, padding_mode='border', align_corners=False)[0]


def resample_probabilities(logits: Tensor, affine: np.ndarray, input_size: Size, original_size: Size) -> Tensor:
    """Sigmoids, then :func:`resample_once`: ``(S, H0, W0)`` float32 in [0, 1]. Arguments are those of that function."""
    return resample_once(logits.sigmoid(), affine, input_size, original_size)


MMRIS = Protocol('mmris', resample_probabilities)
