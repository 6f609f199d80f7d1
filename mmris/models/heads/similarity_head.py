"""The mask head of Shared-RIS: how alike each pixel and the sentence are."""

from typing import Optional

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmris.registry import MODELS
from mmris.structures import FusedFeatures

from ..layers import conv_bn_relu


@MODELS.register_module()
class SimilarityHead(BaseModule):
    """One logit map an expression, at four times the features' grid (Shared-RIS, section III-C, eqs. 10 and 11).

    Pixels: twice upsample by 2 (bilinear) and 3x3 convolution without bias, BatchNorm, ReLU; then a 1x1 convolution.
    The sentence: an MLP (linear, ReLU, linear). Their dot product is the logit. The 1x1 convolution is not in the
    paper's text, but in its number of parameters and multiply-adds.

    A dot product grows with the width. So that logits start at order one whatever the width, the MLP's last weights
    are drawn with a standard deviation of ``1 / channels`` and its last bias is zero: for a sentence of unit variance
    the logits then have a standard deviation of about 1/6.

    Args:
        channels (int): Width of pixels and sentence. Defaults to 512.
        init_cfg (dict, optional): MMEngine initialisation. Defaults to None.
    """

    def __init__(self, *, channels: int = 512, init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg=init_cfg)
        self.pixel_projection = nn.Sequential(
            nn.Upsample(scale_factor=2, mode='bilinear', align_corners=False), conv_bn_relu(channels, channels, 3),
            nn.Upsample(scale_factor=2, mode='bilinear', align_corners=False), conv_bn_relu(channels, channels, 3),
            nn.Conv2d(channels, channels, 1))
        last = nn.Linear(channels, channels)
        nn.init.normal_(last.weight, std=1 / channels)
        nn.init.zeros_(last.bias)
        self.sentence_projection = nn.Sequential(nn.Linear(channels, channels), nn.ReLU(inplace=True), last)

    def forward(self, fused: FusedFeatures) -> Tensor:
        """Predict.

        Returns:
            Tensor: ``(P, 1, 4h, 4w)`` logits.
        """
        pixels = self.pixel_projection(fused.pixels)
        sentence = self.sentence_projection(fused.sentence)
        return torch.bmm(sentence[:, None], pixels.flatten(2)).unflatten(2, pixels.shape[-2:])
