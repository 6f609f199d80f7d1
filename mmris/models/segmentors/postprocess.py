"""From logits on the model's grid to probabilities on the original pixels."""

from typing import Tuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

RESAMPLINGS = ('bilinear', 'cris', 'shared_ris')
# What Shared-RIS takes for its masks before it resizes them.
THRESHOLD = 0.35


def to_original_pixels(logits: Tensor, affine: np.ndarray, input_size: Tuple[int, int],
                       original_size: Tuple[int, int], resampling: str = 'bilinear') -> Tensor:
    """Take sigmoids, then resample through the inverse of the input's affine map.

    Args:
        logits (Tensor): ``(S, 1, h, w)`` of S expressions about one image.
        affine (ndarray): ``(2, 3)``, the map from original to input coordinates, both continuous (the first pixel
            reaches from 0 to 1). Only scale and shift, no rotation.
        input_size (tuple[int, int]): ``(H, W)`` of the input in pixels.
        original_size (tuple[int, int]): ``(H0, W0)`` of the image in pixels.
        resampling (str): ``'bilinear'``: once, bilinear. ``'cris'``: as the published code of CRIS, bicubic to the
            input's size with corners aligned, then cubic to the original pixels, with 0 beyond the input.
            ``'shared_ris'``: in the order of that paper, 1 above 0.35 and else 0, then resized. The 0.35 is fixed:
            a metric's own threshold finds 0 and 1 alone. The paper resizes to the input, which it defines as
            480 x 480; straight to the original pixels, by the nearest, is our reading. Defaults to ``'bilinear'``.

    Returns:
        Tensor: ``(S, H0, W0)`` float32 in [0, 1].
    """
    probabilities = logits.float().sigmoid()
    if resampling == 'cris':
        return _cubic_twice(probabilities, affine, input_size, original_size)
    if resampling == 'shared_ris':
        return _sample_once((probabilities > THRESHOLD).float(), affine, input_size, original_size, 'nearest')
    return _sample_once(probabilities, affine, input_size, original_size, 'bilinear')


def _sample_once(probabilities: Tensor, affine: np.ndarray, input_size: Tuple[int, int],
                 original_size: Tuple[int, int], mode: str) -> Tensor:

    def sample_positions(count: int, scale: float, shift: float, length: int) -> Tensor:
        centre = torch.arange(count, dtype=torch.float64) + 0.5
        return (2 * (centre * scale + shift) / length - 1).float().to(probabilities.device)

    height, width = original_size
    y = sample_positions(height, affine[1, 1], affine[1, 2], input_size[0])
    x = sample_positions(width, affine[0, 0], affine[0, 2], input_size[1])
    grid = torch.stack((x.expand(height, -1), y[:, None].expand(-1, width)), dim=-1)
    # All expressions of an image share one grid, so that they can be channels of one map.
    return F.grid_sample(
        probabilities.transpose(0, 1), grid[None], mode=mode, padding_mode='border', align_corners=False)[0]


def _cubic_twice(probabilities: Tensor, affine: np.ndarray, input_size: Tuple[int, int],
                 original_size: Tuple[int, int]) -> Tensor:
    at_input = F.interpolate(probabilities, size=input_size, mode='bicubic', align_corners=True)[:, 0].cpu().numpy()
    # OpenCV counts from the first pixel's centre, the affine map from its corner.
    from_original = affine.astype(np.float64)
    from_original[:, 2] += from_original[:, :2].sum(axis=1) / 2 - 0.5
    height, width = original_size
    warped = [
        cv2.warpAffine(one, from_original, (width, height), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP)
        for one in at_input
    ]
    # Cubic interpolation overshoots.
    return torch.from_numpy(np.stack(warped)).to(probabilities.device).clamp(0, 1)
