"""What protocols that score at the input compare, on the input's pixels, in torch."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .geometry import Size, nearest_pixels
from .torch_ways_back import sigmoid_above_half


def probabilities_at_input(logits: Tensor, input_size: Size) -> Tensor:
    """Turn logits into probabilities on the input's pixels, above 1/2 exactly where a logit there is above 0.

    Logits that have the input's grid stay where they are. Those of a coarser grid are interpolated bilinearly, and
    corners are not aligned.

    Args:
        logits (Tensor): ``(S, 1, h, w)`` float32.
        input_size (tuple[int, int]): ``(H, W)`` of the input in pixels.

    Returns:
        Tensor: ``(S, H, W)`` float32 in [0, 1].
    """
    if tuple(logits.shape[-2:]) != tuple(input_size):
        logits = F.interpolate(logits, size=tuple(input_size), mode='bilinear', align_corners=False)
    return sigmoid_above_half(logits)[:, 0]


def masks_at_input(masks: Tensor, input_size: Size) -> Tensor:
    """Stretch masks to the input as Pillow's nearest resize does.

    Args:
        masks (Tensor): ``(S, H0, W0)`` of any dtype.
        input_size (tuple[int, int]): ``(H, W)`` of the input in pixels.

    Returns:
        Tensor: ``(S, H, W)`` of the same dtype and device.
    """
    rows, columns = (
        torch.from_numpy(nearest_pixels(original, count)).to(masks.device)
        for original, count in zip(masks.shape[-2:], input_size))
    return masks[:, rows][:, :, columns]
