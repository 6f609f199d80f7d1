"""The ways back from the model's grid to original pixels, in torch: what evaluation and losses compute.

Each takes

- values or logits, a Tensor ``(S, 1, h, w)`` float32,
- the map from original to input coordinates, both continuous, an ndarray ``(2, 3)``,
- ``(H, W)`` of the input in pixels, which the grid covers,
- ``(H0, W0)`` of the image in pixels,

and returns a Tensor ``(S, H0, W0)`` float32.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .cris import warp_as_cris
from .geometry import Size, same_map, stretch_affine, whole_pixels
from .resampling import ABOVE_HALF, SHARED_RIS_THRESHOLD


def resample_once(values: Tensor,
                  affine: np.ndarray,
                  input_size: Size,
                  original_size: Size,
                  mode: str = 'bilinear') -> Tensor:
    """Sample the model's grid at the centre of each original pixel.

    Args:
        values, affine, input_size, original_size: See the module.
        mode (str): ``'bilinear'`` or ``'nearest'``. Default: ``'bilinear'``.
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
    """Take sigmoids, then :func:`resample_once`. The result is in [0, 1]."""
    return resample_once(logits.sigmoid(), affine, input_size, original_size)


def resample_as_cris(logits: Tensor, affine: np.ndarray, input_size: Size, original_size: Size) -> Tensor:
    """Sigmoids; bicubic to the input's size, corners aligned; cubic to the original pixels, with 0 beyond the input.

    The result is in [0, 1].
    """
    at_input = F.interpolate(logits.sigmoid(), size=input_size, mode='bicubic', align_corners=True)[:, 0]
    warped = warp_as_cris(at_input.detach().cpu().numpy(), affine, input_size, original_size)
    # Cubic interpolation overshoots, which is of no consequence to masks.
    return torch.from_numpy(warped).to(logits.device).clamp(0, 1)


def threshold_then_resize(logits: Tensor, affine: np.ndarray, input_size: Size, original_size: Size) -> Tensor:
    """1 where the sigmoid is above 0.35 and else 0, then the nearest cell of each original pixel."""
    above = (logits.sigmoid() > SHARED_RIS_THRESHOLD).float()
    return resample_once(above, affine, input_size, original_size, 'nearest')


def resample_logits_twice(logits: Tensor, affine: np.ndarray, input_size: Size, original_size: Size) -> Tensor:
    """Bilinear to the input's size, crop to the image, bilinear to the original pixels. The result is logits.

    If the image does not fill whole pixels of the input, nothing is cropped.
    """
    at_input = F.interpolate(logits, size=input_size, mode='bilinear', align_corners=False)
    filled = whole_pixels(affine, original_size)
    if filled is None:
        return resample_once(at_input, affine, input_size, original_size)
    x0, y0, x1, y1 = filled
    return F.interpolate(at_input[..., y0:y1, x0:x1], size=original_size, mode='bilinear', align_corners=False)[:, 0]


def resample_logits_once(logits: Tensor, affine: np.ndarray, input_size: Size, original_size: Size) -> Tensor:
    """Bilinear from the logits' grid to the original pixels in one step. The result is logits."""
    if same_map(affine, stretch_affine(original_size, input_size)):
        # As the published code computes it, rounding included.
        return F.interpolate(logits, size=original_size, mode='bilinear', align_corners=False)[:, 0]
    return resample_once(logits, affine, input_size, original_size)


def sigmoid_above_half(logits: Tensor) -> Tensor:
    """Turn logits into probabilities, above 1/2 where a logit is above 0, also where rounding would give 1/2 itself.

    Args:
        logits (Tensor): float32 of any shape.

    Returns:
        Tensor: float32 of the same shape, in [0, 1].
    """
    probabilities = logits.sigmoid()
    return torch.where(logits > 0, probabilities.clamp(min=ABOVE_HALF), probabilities)


# Of the resamplings that take the sigmoid last: as far as logits.
LOGITS = dict(evf_sam=resample_logits_twice, evf_sam2=resample_logits_once)

WAYS_BACK = dict(
    bilinear=resample_probabilities,
    cris=resample_as_cris,
    shared_ris=threshold_then_resize,
    evf_sam=lambda *given: sigmoid_above_half(resample_logits_twice(*given)),
    evf_sam2=lambda *given: sigmoid_above_half(resample_logits_once(*given)))
