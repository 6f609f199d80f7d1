"""EVF-SAM, as its published codes score SAM 2's masks (Zhang et al., EVF-SAM, arXiv 2406.20076).

The code of the plain checkpoint and that of the multitask checkpoint differ in how an image becomes an input.
"""

from dataclasses import replace
from functools import partial

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from .evf_sam import resample_then_sigmoid
from .geometry import stretch_affine
from .mmris import resample_once
from .protocol import Geometry, Protocol, Size, same_map


def resample_logits_once(logits: Tensor, affine: np.ndarray, input_size: Size, original_size: Size) -> Tensor:
    """Bilinear from the logits' grid to the original pixels in one step.

    Args:
        logits (Tensor): ``(S, 1, h, w)`` float32.
        affine (ndarray): ``(2, 3)``, the map from original to input coordinates, both continuous.
        input_size (tuple[int, int]): ``(H, W)`` of the input in pixels.
        original_size (tuple[int, int]): ``(H0, W0)`` of the image in pixels.

    Returns:
        Tensor: ``(S, H0, W0)`` float32 logits.
    """
    if same_map(affine, stretch_affine(original_size, input_size)):
        # As the published code computes it, rounding included.
        return F.interpolate(logits, size=original_size, mode='bilinear', align_corners=False)[:, 0]
    return resample_once(logits, affine, input_size, original_size)


EVF_SAM2 = Protocol(
    'evf_sam2',
    partial(resample_then_sigmoid, resample=resample_logits_once),
    geometry=Geometry('LongestSideThenStretch', stretch_affine),
    threshold=0.5,
    resample_logits=resample_logits_once)
EVF_SAM2_MULTITASK = replace(
    EVF_SAM2, name='evf_sam2_multitask', geometry=Geometry('PillowResize', stretch_affine))
