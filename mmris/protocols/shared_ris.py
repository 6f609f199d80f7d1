"""Shared-RIS, as its paper describes: the threshold first, then masks are resized.

The paper resizes masks to the input, which it defines as 480 x 480, and names no kernel. To the original pixels, by the
nearest, is our reading, since masks are scored there. It does not say what an empty prediction of nothing counts.
"""

import numpy as np
from torch import Tensor

from .geometry import stretch_affine
from .mmris import resample_once
from .protocol import Geometry, Protocol, Size

THRESHOLD = 0.35


def threshold_then_resize(logits: Tensor, affine: np.ndarray, input_size: Size, original_size: Size) -> Tensor:
    """1 where the sigmoid is above 0.35 and else 0, then the nearest cell of each original pixel.

    Args:
        logits (Tensor): ``(S, 1, h, w)`` float32.
        affine (ndarray): ``(2, 3)``, the map from original to input coordinates, both continuous.
        input_size (tuple[int, int]): ``(H, W)`` of the input in pixels.
        original_size (tuple[int, int]): ``(H0, W0)`` of the image in pixels.

    Returns:
        Tensor: ``(S, H0, W0)`` float32, 0 or 1.
    """
    return resample_once((logits.sigmoid() > THRESHOLD).float(), affine, input_size, original_size, 'nearest')


SHARED_RIS = Protocol(
    'shared_ris',
    threshold_then_resize,
    geometry=Geometry('Resize', stretch_affine),
    threshold=THRESHOLD,
    binary=True)
