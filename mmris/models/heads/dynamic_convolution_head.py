"""The projector of CRIS: the sentence becomes a kernel that is applied to the pixels."""

from typing import Optional

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmris.registry import MODELS
from mmris.structures import FusedFeatures

from ..layers import check_width, conv_bn_relu

KERNEL_SIZE = 3


@MODELS.register_module()
class DynamicConvolutionHead(BaseModule):
    """One logit map an expression, at four times the features' grid (Wang et al., CRIS, CVPR 2022, section 3.4).

    Pixels: upsample by 2, 3x3 convolution, upsample by 2, 3x3 convolution to half the channels, 1x1 convolution.
    The sentence: a linear map to a 3x3 kernel and a bias, applied to its own pixels.

    Args:
        channels (int): Channels of the pixels, even. Defaults to 512.
        sentence_channels (int): Width of the sentence. Defaults to 512.
        init_cfg (dict, optional): MMEngine initialisation. Defaults to None.
    """

    def __init__(self, *, channels: int = 512, sentence_channels: int = 512, init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg=init_cfg)
        self.channels, self.sentence_channels = channels, sentence_channels
        hidden = channels // 2
        self.pixel_projection = nn.Sequential(
            nn.Upsample(scale_factor=2, mode='bilinear', align_corners=False), conv_bn_relu(channels, channels, 3),
            nn.Upsample(scale_factor=2, mode='bilinear', align_corners=False), conv_bn_relu(channels, hidden, 3),
            nn.Conv2d(hidden, hidden, 1))
        self.kernel_projection = nn.Linear(sentence_channels, hidden * KERNEL_SIZE**2 + 1)

    def forward(self, fused: FusedFeatures) -> Tensor:
        """Predict.

        Returns:
            Tensor: ``(P, 1, 4h, 4w)`` logits.

        Raises:
            ValueError: If pixels or sentence have other widths than ``channels`` and ``sentence_channels``.
        """
        owner, sentence = type(self).__name__, fused.sentence
        check_width(owner, 'channels', self.channels, of='the pixels', found=fused.pixels.size(1))
        check_width(owner, 'sentence_channels', self.sentence_channels, of='the sentence', found=sentence.size(1))
        pixels = self.pixel_projection(fused.pixels)
        kernel, bias = self.kernel_projection(sentence).split((pixels.size(1) * KERNEL_SIZE**2, 1), dim=1)
        kernel = kernel.view(-1, pixels.size(1), KERNEL_SIZE, KERNEL_SIZE)
        return dynamic_convolution(pixels, kernel) + bias[:, :, None, None]


def dynamic_convolution(pixels: Tensor, kernel: Tensor) -> Tensor:
    """Convolve each map with its own kernel to one channel, at the same size, with zeros beyond the border.

    A batched product gives one map for each of the kernel's cells; these are shifted and added. That is the same sum
    as a grouped convolution, and a multiple faster where grouped convolutions are slow (CPUs, above all backwards).

    Args:
        pixels (Tensor): ``(P, C, h, w)``.
        kernel (Tensor): ``(P, C, k, k)``, k odd.

    Returns:
        Tensor: ``(P, 1, h, w)``.
    """
    rows, _, height, width = pixels.shape
    size = kernel.size(-1)
    maps = torch.bmm(kernel.flatten(2).transpose(1, 2), pixels.flatten(2)).view(rows, size * size, height, width)
    maps = F.pad(maps, (size // 2, ) * 4)
    shifted = [
        maps[:, row * size + column, row:row + height, column:column + width] for row in range(size)
        for column in range(size)
    ]
    return torch.stack(shifted).sum(dim=0).unsqueeze(1)
