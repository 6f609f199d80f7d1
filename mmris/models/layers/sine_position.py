"""Sine position encodings, as CRIS uses them."""

import math

import torch
from torch import Tensor


def sine_position_1d(length: int, channels: int, like: Tensor) -> Tensor:
    """Sine encoding of positions 0 to ``length - 1``, sines in the even and cosines in the odd channels.

    Args:
        length (int): Number of positions.
        channels (int): Width; even.
        like (Tensor): Gives device and dtype.

    Returns:
        Tensor: ``(length, channels)``.

    Raises:
        ValueError: If ``channels`` is odd.
    """
    if channels % 2:
        raise ValueError(f'channels of a sine position must be even, but got {channels}.')
    frequency = torch.exp(
        torch.arange(0, channels, 2, device=like.device, dtype=torch.float32) * (-math.log(10000.0) / channels))
    angle = torch.arange(length, device=like.device, dtype=torch.float32)[:, None] * frequency
    return torch.stack((angle.sin(), angle.cos()), dim=-1).flatten(1).to(like.dtype)


def sine_position_2d(height: int, width: int, channels: int, like: Tensor) -> Tensor:
    """Sine encoding of a grid: the first half of the channels encodes the column, the second the row.

    Args:
        height (int): Rows.
        width (int): Columns.
        channels (int): Width of the encoding; divisible by 4.
        like (Tensor): Gives device and dtype.

    Returns:
        Tensor: ``(height * width, channels)``, row by row.

    Raises:
        ValueError: If ``channels`` is not divisible by 4.
    """
    if channels % 4:
        raise ValueError(f'channels of a 2-D sine position must be divisible by 4, but got {channels}.')
    columns = sine_position_1d(width, channels // 2, like).expand(height, -1, -1)
    rows = sine_position_1d(height, channels // 2, like)[:, None].expand(-1, width, -1)
    return torch.cat((columns, rows), dim=-1).flatten(0, 1)
