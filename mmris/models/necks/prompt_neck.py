"""A neck that turns what an encoder understood into a prompt for a segmenter."""

from dataclasses import replace
from typing import Optional

import torch
from torch import nn

from mmris.registry import MODELS
from mmris.structures import EncoderOutput, FusedFeatures

from ..layers import check_width
from ..published_part import PublishedPart


@MODELS.register_module()
class PromptNeck(PublishedPart):
    """One prompt token a sentence, from the whole image as a joint encoder sees it (Zhang et al., EVF-SAM, 2024).

    The token is a projection (linear, ReLU, linear) of the image's class token, which knows the sentence. No mask is
    given as a prompt, which SAM says by a vector that is added to each cell of the deepest map.

    Args:
        in_channels (int): Width of the whole image in the encoder's joint space.
        channels (int): Width of the prompt, that of the segmenter's deepest map. Default: 256.
        pretrained (str, optional): Weights of SAM or SAM 2, as they are published or converted: a file, an address, or
            the work folder of a training here. The vector of no mask is taken. Default: None, from scratch.
        trust_pretrained (bool): Also read a file that holds more than tensors, by running what it says. Default: False.
        init_cfg (dict, optional): MMEngine initialisation. Default: None.
    """

    published_as = 'neck.'

    def __init__(self,
                 *,
                 in_channels: int,
                 channels: int = 256,
                 pretrained: Optional[str] = None,
                 trust_pretrained: bool = False,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(pretrained=pretrained, trust_pretrained=trust_pretrained, init_cfg=init_cfg)
        self.in_channels, self.channels = in_channels, channels
        self.projection = nn.Sequential(
            nn.Linear(in_channels, in_channels), nn.ReLU(), nn.Linear(in_channels, channels))
        self.no_mask = nn.Parameter(torch.randn(channels))

    def forward(self, encoded: EncoderOutput) -> FusedFeatures:
        """Make prompts.

        Args:
            encoded (EncoderOutput): Of P expressions, with ``maps``.

        Returns:
            FusedFeatures: ``sentence (P, channels)`` is the prompt, ``maps`` are the encoder's, the deepest with the
            vector of no mask. Pixels ``(P, C, h, w)`` are the encoder's last stage, words its own.

        Raises:
            ValueError: If the encoder gives no maps.
            ValueError: If the whole image or the deepest map has another width.
        """
        if encoded.maps is None:
            raise ValueError('PromptNeck prompts a segmenter, but the encoder gives no maps of one: take an encoder '
                             'that has a segmenter, such as EVFSAMEncoder.')
        image, index = encoded.image, encoded.image_index
        maps = encoded.maps.trimmed()
        *finer, deepest = maps.values
        width = image.image_global.size(1)
        check_width('PromptNeck', 'in_channels', self.in_channels, of='the whole image', found=width)
        check_width('PromptNeck', 'channels', self.channels, of='the deepest map', found=deepest.size(1))
        return FusedFeatures(
            pixels=image.stages[-1].index_select(0, index),
            words=encoded.text.words,
            sentence=self.projection(image.image_global.index_select(0, index)),
            token_mask=encoded.text.token_mask,
            maps=replace(maps, values=(*finer, deepest + self.no_mask[:, None, None])))
