"""The neck of ETRIS: a sentence weighs the channels of three stages of a ViT."""

from typing import Optional, Sequence

import torch
from torch import nn

from mmris.registry import MODELS
from mmris.structures import EncoderOutput, FusedFeatures

from ..layers import CoordinateConvolutions, conv_bn_relu
from .three_stage_neck import ThreeStageNeck


@MODELS.register_module()
class ETRISNeck(ThreeStageNeck):
    """Fuses three stages of one grid with the sentence (Xu et al., ETRIS, ICCV 2023), as DETRIS has it.

    With CBR(k) a ``k`` x ``k`` convolution, BatchNorm and ReLU::

        s = Linear(sentence)
        g_i = CBR1(C_i) * Linear_i(Linear_i'(s))
        f = CBR1([g_3, g_4, g_5])
        output = f + CBR3(CBR3([f, x, y]))          x and y from -1 to 1

    The published code has an attention of the pixels over the sentence in place of the two linear maps. Of a single
    key its softmax is 1 whatever queries and keys are, so it gives each pixel that product.

    The first convolutions run once an image as long as that has not seen the sentence.

    Args:
        in_channels (Sequence[int]): Channels of the three stages, shallow to deep.
        sentence_channels (int): Width of the sentence.
        channels (int): Channels of each stage inside, and of the output. Defaults to 512.
        init_cfg (dict, optional): MMEngine initialisation. Defaults to None.

    Raises:
        ValueError: If there are not three stages.
    """

    def __init__(self,
                 *,
                 in_channels: Sequence[int],
                 sentence_channels: int,
                 channels: int = 512,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(in_channels=in_channels, sentence_channels=sentence_channels, init_cfg=init_cfg)
        self.sentence_projection = nn.Linear(sentence_channels, channels)
        self.stage_projections = nn.ModuleList(conv_bn_relu(width, channels, 1) for width in in_channels)
        self.factors = nn.ModuleList(
            nn.Sequential(nn.Linear(channels, channels), nn.Linear(channels, channels)) for _ in in_channels)
        for value, out in self.factors:
            # As in the published attention, whose matrix has the rows of queries and keys too.
            nn.init.xavier_uniform_(value.weight, gain=0.5**0.5)
            nn.init.zeros_(value.bias)
            nn.init.zeros_(out.bias)
        self.aggregate = conv_bn_relu(3 * channels, channels, 1)
        self.coordinates = CoordinateConvolutions(channels)

    def forward(self, encoded: EncoderOutput) -> FusedFeatures:
        """Fuse.

        Args:
            encoded (EncoderOutput): Of P expressions on M image rows, with three stages of one grid.

        Returns:
            FusedFeatures: Pixels ``(P, channels, h, w)``; words and sentence are the encoder's.

        Raises:
            ValueError: If the encoder does not give three stages, or these have several grids.
            ValueError: If stages or sentence have other widths than ``in_channels`` and ``sentence_channels``.
        """
        self.check(encoded)
        text, grids = encoded.text, [tuple(stage.shape[-2:]) for stage in encoded.image.stages]
        if len(set(grids)) > 1:
            found = ', '.join(f'{height} x {width}' for height, width in grids)
            raise ValueError(f'ETRISNeck takes stages of one grid, as a ViT gives them, but got {found}. For stages of '
                             f'several grids take CRISNeck.')
        sentence, levels = self.sentence_projection(text.sentence), []
        for stage, projection, factor in zip(encoded.image.stages, self.stage_projections, self.factors):
            level = projection(stage).index_select(0, encoded.image_index)
            levels.append(level * factor(sentence)[:, :, None, None])
        pixels = self.aggregate(torch.cat(levels, dim=1))
        pixels = pixels + self.coordinates(pixels)
        return FusedFeatures(pixels=pixels, words=text.words, sentence=text.sentence, token_mask=text.token_mask)
