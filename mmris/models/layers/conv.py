"""Convolution or linear map, BatchNorm, ReLU: the CBR block of CRIS."""

from torch import nn


def conv_bn_relu(in_channels: int, out_channels: int, kernel_size: int) -> nn.Sequential:
    """A square convolution that keeps the size, without bias, then BatchNorm and ReLU."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2, bias=False),
        nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True))


def linear_bn_relu(in_channels: int, out_channels: int) -> nn.Sequential:
    """A linear map without bias, BatchNorm, ReLU."""
    return nn.Sequential(
        nn.Linear(in_channels, out_channels, bias=False), nn.BatchNorm1d(out_channels), nn.ReLU(inplace=True))
