"""Convolutions that know where on the map they are."""

import torch
from torch import Tensor, nn

from .conv import conv_bn_relu


class CoordinateConvolutions(nn.Sequential):
    """Two 3x3 convolutions with BatchNorm and ReLU; the first also reads the cells' x and y, from -1 to 1.

    Args:
        channels (int): Channels that come in and go out.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(conv_bn_relu(channels + 2, channels, 3), conv_bn_relu(channels, channels, 3))

    def forward(self, pixels: Tensor) -> Tensor:
        """Convolve ``(P, channels, h, w)`` to the same shape."""
        return super().forward(torch.cat((pixels, _coordinates(pixels)), dim=1))


def _coordinates(pixels: Tensor) -> Tensor:
    rows, _, height, width = pixels.shape
    x = torch.linspace(-1, 1, width, device=pixels.device, dtype=pixels.dtype).expand(rows, 1, height, width)
    y = torch.linspace(-1, 1, height, device=pixels.device, dtype=pixels.dtype)
    return torch.cat((x, y[:, None].expand(rows, 1, height, width)), dim=1)
