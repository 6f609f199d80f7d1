"""LAVT's pixel-word attention on several stages of a joint encoder."""

from typing import Optional, Sequence

import torch
from mmengine.model import BaseModule
from torch import nn

from mmris.registry import MODELS
from mmris.structures import EncoderOutput, FusedFeatures

from ..layers import PixelWordAttention
from .joint_stages import check_joint_stages


@MODELS.register_module()
class PWAMNeck(BaseModule):
    """LAVT's pixel-word attention in the place of Shared-RIS's FPN (its Table IV).

    The paper does not say how it was put there. What is ours: each stage's pixels ask the words of the same stage at
    the encoder's width; the attention's last convolution leads to ``channels``; the stages are joined in channels and
    aggregated by a linear map, as eq. 7 does; neither the rest of LAVT (its gate) nor the image's class token takes
    part. As LAVT does, and CRIS's neck, this leaves the words to the encoder: the decoder gets those of its last
    stage, in the encoder's width.

    At d = 768, 512 channels, 480 x 480 pixels, 20 tokens and four stages it has 14.0M parameters (the paper's 14M)
    and 8.6G multiply-adds (13G), both minus those of the linear map that a model without FPN needs (0.39M and 0.36G).
    What the paper counted is not known: each of 14M weights applied to all 921 tokens would be 13G.

    Args:
        in_channels (Sequence[int]): Width of image and words in each of the K stages, shallow to deep.
        channels (int): Width of the pixels in the output. Defaults to 512.
        init_cfg (dict, optional): MMEngine initialisation. Defaults to None.

    Raises:
        ValueError: If there is no stage.
    """

    def __init__(self, *, in_channels: Sequence[int], channels: int = 512, init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg=init_cfg)
        if not in_channels:
            raise ValueError('PWAMNeck fuses one stage or more: in_channels needs a number for each, but is empty.')
        self.in_channels = tuple(in_channels)
        self.attentions = nn.ModuleList(PixelWordAttention(width, channels) for width in in_channels)
        self.aggregate = nn.Conv2d(len(in_channels) * channels, channels, 1)

    def forward(self, encoded: EncoderOutput) -> FusedFeatures:
        """Fuse.

        Args:
            encoded (EncoderOutput): Of P expressions on M image rows, with K stages of image and words.

        Returns:
            FusedFeatures: Pixels ``(P, channels, h, w)`` on the stages' grid. Words are those of the last stage, and
            the sentence is their start token.

        Raises:
            ValueError: If the encoder does not give K stages of image and words, as wide as ``in_channels``, on one
                grid.
        """
        check_joint_stages('PWAMNeck', encoded, self.in_channels)
        text = encoded.text
        fused = [
            attention(stage, words, text.token_mask, encoded.image_index)
            for attention, stage, words in zip(self.attentions, encoded.image.stages, text.stages)
        ]
        words = text.stages[-1]
        pixels = self.aggregate(torch.cat(fused, dim=1))
        return FusedFeatures(pixels=pixels, words=words, sentence=words[:, 0], token_mask=text.token_mask)
