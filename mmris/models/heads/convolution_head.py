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
        two_classes (bool): Whether the convolution has two channels, background and object, as LAVT's. The logit is
            the second minus the first: under a binary cross entropy both learn as under the cross entropy of two
            classes. Default: False, one channel.
        align_corners (bool): Whether upsampling keeps the centres of the corner cells in place, as LAVT's does.
            Default: False.
        init_cfg (dict, optional): MMEngine initialisation. Defaults to None.

    Raises:
        ValueError: If ``upsample`` is below 1.
    """

    def __init__(self,
                 *,
                 channels: int,
                 upsample: int = 1,
                 two_classes: bool = False,
                 align_corners: bool = False,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg=init_cfg)
        if upsample < 1:
            raise ValueError(f'upsample of ConvolutionHead must be at least 1, but got {upsample}.')
        self.upsample, self.align_corners = upsample, align_corners
        self.convolution = nn.Conv2d(channels, 2 if two_classes else 1, 1)

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
        if logits.size(1) == 2:
            logits = logits[:, 1:] - logits[:, :1]
        if self.upsample == 1:
            return logits
        return F.interpolate(logits, scale_factor=self.upsample, mode='bilinear', align_corners=self.align_corners)
