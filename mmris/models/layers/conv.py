"""Convolution or linear map, BatchNorm, ReLU: the CBR block of CRIS."""

from torch import nn

_CONVOLUTIONS = {1: (nn.Conv1d, nn.BatchNorm1d), 2: (nn.Conv2d, nn.BatchNorm2d)}


def conv_bn_relu(in_channels: int,
                 out_channels: int,
                 kernel_size: int,
                 *,
                 dimensions: int = 2,
                 bias: bool = False,
                 eps: float = 1e-5) -> nn.Sequential:
    """A convolution that keeps the size, then BatchNorm and ReLU.

    Args:
        in_channels (int): Channels that come in.
        out_channels (int): Channels that go out.
        kernel_size (int): Side of the kernel, odd.
        dimensions (int): 2 for maps ``(M, C, h, w)``, 1 for sequences ``(M, C, L)``. Default: 2.
        bias (bool): Whether the convolution adds a bias, which BatchNorm takes out again. Default: False.
        eps (float): What BatchNorm adds to the variance. Default: 1e-5.
    """
    convolution, norm = _CONVOLUTIONS[dimensions]
    return nn.Sequential(
        convolution(in_channels, out_channels, kernel_size, padding=kernel_size // 2, bias=bias),
        norm(out_channels, eps=eps), nn.ReLU(inplace=True))


def linear_bn_relu(in_channels: int, out_channels: int) -> nn.Sequential:
    """A linear map without bias, BatchNorm, ReLU."""
    return nn.Sequential(
        nn.Linear(in_channels, out_channels, bias=False), nn.BatchNorm1d(out_channels), nn.ReLU(inplace=True))
