"""A neck that only brings the last stage to the decoder's width."""

from typing import Optional

from mmengine.model import BaseModule
from torch import nn

from mmris.registry import MODELS
from mmris.structures import EncoderOutput, FusedFeatures

from ..layers import check_width


@MODELS.register_module()
class ProjectionNeck(BaseModule):
    """One linear map of the last stage, for image and words alike: what Shared-RIS calls "No FPN" (Tables III, IV).

    Args:
        in_channels (int): Width of image and words in the last stage.
        channels (int): Width of the output. Defaults to 512.
        init_cfg (dict, optional): MMEngine initialisation. Defaults to None.
    """

    def __init__(self, *, in_channels: int, channels: int = 512, init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg=init_cfg)
        self.projection = nn.Linear(in_channels, channels)

    def forward(self, encoded: EncoderOutput) -> FusedFeatures:
        """Project.

        Args:
            encoded (EncoderOutput): Of P expressions on M image rows, with words beside its stages.

        Returns:
            FusedFeatures: Pixels ``(P, channels, h, w)``, words and class token as wide; the sentence is the words'
            start token.

        Raises:
            ValueError: If the encoder gives no words beside its stages, or another width than ``in_channels``.
        """
        image, text = encoded.image, encoded.text
        if not text.stages:
            raise ValueError(
                'ProjectionNeck takes the words beside the last stage, but the encoder gave none: take an encoder that '
                'joins image and words.')
        found = {'the encoder\'s last stage': image.stages[-1].size(1), 'the words': text.stages[-1].size(2)}
        for of, width in found.items():
            check_width('ProjectionNeck', 'in_channels', self.projection.in_features, of=of, found=width)
        pixels = self.projection(image.stages[-1].movedim(1, -1)).movedim(-1, 1).index_select(0, encoded.image_index)
        words = self.projection(text.stages[-1])
        class_token = None
        if image.class_stages:
            class_token = self.projection(image.class_stages[-1]).index_select(0, encoded.image_index)
        return FusedFeatures(
            pixels=pixels, words=words, sentence=words[:, 0], token_mask=text.token_mask, class_token=class_token)
