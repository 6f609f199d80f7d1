"""A head that only maps pixels to logits."""

from typing import Optional

import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmris.registry import MODELS
from mmris.structures import FusedFeatures

from ..layers import check_width


@MODELS.register_module()
class ConvolutionHead(BaseModule):
    """A 1x1 convolution of the pixels, then upsampling (bilinear).

    The two may change places, since a weighted mean of linear maps is the map of the weighted mean: this order needs
    one channel at the fine grid instead of all.

    Args:
        channels (int): Channels of the pixels.
        upsample (int): By how much the grid grows. Defaults to 1.
        init_cfg (dict, optional): MMEngine initialisation. Defaults to None.

    Raises:
        ValueError: If ``upsample`` is below 1.
    """

    def __init__(self, *, channels: int, upsample: int = 1, init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg=init_cfg)
        if upsample < 1:
            raise ValueError(f'upsample of ConvolutionHead must be at least 1, but got {upsample}.')
        self.upsample = upsample
        self.convolution = nn.Conv2d(channels, 1, 1)

    def forward(self, fused: FusedFeatures) -> Tensor:
        """Predict.

        Args:
            fused (FusedFeatures): Pixels ``(P, channels, h, w)``.

        Returns:
            Tensor: ``(P, 1, upsample * h, upsample * w)`` logits.

        Raises:
            ValueError: If the pixels have another width than ``channels``.
        """
        check_width(
            'ConvolutionHead', 'channels', self.convolution.in_channels, of='the pixels', found=fused.pixels.size(1))
        logits = self.convolution(fused.pixels)
        if self.upsample == 1:
            return logits
        return F.interpolate(logits, scale_factor=self.upsample, mode='bilinear', align_corners=False)
