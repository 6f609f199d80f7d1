"""EVF-SAM, as its published code scores SAM 1's masks (Zhang et al., EVF-SAM, arXiv 2406.20076)."""

from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .geometry import longest_side_affine
from .mmris import resample_once
from .protocol import Geometry, Protocol, Size, WayBack

# The smallest float32 above 1/2.
ABOVE_HALF = float(np.nextafter(np.float32(0.5), np.float32(1)))


def resample_logits_twice(logits: Tensor, affine: np.ndarray, input_size: Size, original_size: Size) -> Tensor:
    """Bilinear to the input's size, crop to the image, bilinear to the original pixels.

    Args:
        logits (Tensor): ``(S, 1, h, w)`` float32.
        affine (ndarray): ``(2, 3)``, the map from original to input coordinates, both continuous. If the image does
            not fill whole pixels of the input, nothing is cropped.
        input_size (tuple[int, int]): ``(H, W)`` of the input in pixels.
        original_size (tuple[int, int]): ``(H0, W0)`` of the image in pixels.

    Returns:
        Tensor: ``(S, H0, W0)`` float32 logits.
    """
    at_input = F.interpolate(logits, size=input_size, mode='bilinear', align_corners=False)
    height, width = original_size
    corners = np.concatenate((affine[:, 2], affine[:, :2] @ (width, height) + affine[:, 2]))
    x0, y0, x1, y1 = np.rint(corners).astype(int)
    if np.allclose(corners, (x0, y0, x1, y1), rtol=0, atol=1e-3) and min(x0, y0) >= 0:
        image = at_input[..., y0:y1, x0:x1]
        return F.interpolate(image, size=original_size, mode='bilinear', align_corners=False)[:, 0]
    return resample_once(at_input, affine, input_size, original_size)


def sigmoid_above_half(logits: Tensor) -> Tensor:
    """Turn logits into probabilities, above 1/2 where a logit is above 0, also where rounding would give 1/2 itself.

    Args:
        logits (Tensor): float32 of any shape.

    Returns:
        Tensor: float32 of the same shape, in [0, 1].
    """
    probabilities = logits.sigmoid()
    return torch.where(logits > 0, probabilities.clamp(min=ABOVE_HALF), probabilities)


def resample_then_sigmoid(logits: Tensor, affine: np.ndarray, input_size: Size, original_size: Size, *,
                          resample: WayBack) -> Tensor:
    """Resample logits, and only then take the sigmoid: ``(S, H0, W0)`` float32 in [0, 1].

    The first arguments are those of ``resample``, such as :func:`resample_logits_twice`.
    """
    return sigmoid_above_half(resample(logits, affine, input_size, original_size))


EVF_SAM = Protocol(
    'evf_sam',
    partial(resample_then_sigmoid, resample=resample_logits_twice),
    geometry=Geometry('ResizeLongestSide', longest_side_affine),
    threshold=0.5,
    resample_logits=resample_logits_twice)
