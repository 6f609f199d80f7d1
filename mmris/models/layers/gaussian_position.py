"""Random Fourier features of positions, as SAM uses them."""

import math
from typing import Any

import torch
from torch import Tensor, nn


class GaussianPosition(nn.Module):
    """Sines and cosines of positions along random directions (Tancik et al., Fourier Features, NeurIPS 2020).

    The directions are drawn once, never trained, and belong to the weights: a model that was trained with some computes
    nothing of use with others. They stay float32 when the model becomes half precision, which would move positions.

    Args:
        channels (int): Width, even.

    Raises:
        ValueError: If ``channels`` is odd.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        if channels % 2:
            raise ValueError(f'channels of a Gaussian position must be even, but got {channels}.')
        self.register_buffer('directions', torch.randn(2, channels // 2))

    def _apply(self, *args: Any, **kwargs: Any) -> 'GaussianPosition':
        before = self.directions
        super()._apply(*args, **kwargs)
        if self.directions.dtype != torch.float32:
            self.directions = before.to(self.directions.device)
        return self

    def forward(self, height: int, width: int) -> Tensor:
        """Encode the centres of the cells of a grid.

        Args:
            height (int): Cells from top to bottom.
            width (int): Cells from left to right.

        Returns:
            Tensor: ``(height * width, channels)`` float32, row by row; all sines before all cosines.
        """
        y, x = ((torch.arange(count, device=self.directions.device) + 0.5) / count for count in (height, width))
        x, y = x.repeat(height)[:, None], y.repeat_interleave(width)[:, None]
        # Sums, not a product of matrices, which autocast would round.
        angles = 2 * math.pi * ((2 * x - 1) * self.directions[0] + (2 * y - 1) * self.directions[1])
        return torch.cat((angles.sin(), angles.cos()), dim=-1)
