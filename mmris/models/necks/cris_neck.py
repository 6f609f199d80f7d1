"""The neck of CRIS: three levels of pixels and a sentence become one map."""

from typing import Optional, Sequence

import torch
import torch.nn.functional as F
from mmengine.dist import get_world_size
from torch import Tensor, nn

from mmris.registry import MODELS
from mmris.structures import EncoderOutput, FusedFeatures

from ..layers import CoordinateConvolutions, conv_bn_relu, linear_bn_relu
from .three_stage_neck import ThreeStageNeck


@MODELS.register_module()
class CRISNeck(ThreeStageNeck):
    """Fuses three stages of an image encoder with the sentence (Wang et al., CRIS, CVPR 2022, section 3.2).

    With CBR(k) a ``k`` x ``k`` convolution, BatchNorm and ReLU::

        f5 = ReLU(BN(CBR1(C5) * sentence))          sentence through Linear, BatchNorm, ReLU
        f4 = CBR1([CBR3(C4), f5])
        f3 = CBR1([CBR3(C3), f4])
        fused = CBR1([CBR3(f3), CBR3(f4), CBR3(f5)])
        output = CBR3(CBR3([fused, x, y]))          x and y from -1 to 1

    All is computed on the middle stage's grid: a stage of half its size is upsampled (bilinear), one of double its
    size average-pooled, as a CNN needs; the stages of a ViT lie on one grid already. What does not see the sentence
    (the first convolution of each stage) runs once an image, not once an expression.

    Args:
        in_channels (Sequence[int]): Channels of the three stages, shallow to deep. 768, 768, 512 for CLIP's ViT-B/16.
        sentence_channels (int): Width of the sentence.
        out_channels (Sequence[int]): Channels of the three levels inside; the middle one is the output's.
            Defaults to (256, 512, 1024).
        init_cfg (dict, optional): MMEngine initialisation. Defaults to None.

    Raises:
        ValueError: If there are not three stages or levels.
    """

    def __init__(self,
                 *,
                 in_channels: Sequence[int],
                 sentence_channels: int,
                 out_channels: Sequence[int] = (256, 512, 1024),
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(in_channels=in_channels, sentence_channels=sentence_channels, init_cfg=init_cfg)
        if len(out_channels) != 3:
            raise ValueError(
                f'CRISNeck fuses three stages: out_channels needs three numbers, but got {tuple(out_channels)}.')
        shallow, middle, deep = out_channels
        self.sentence_projection = linear_bn_relu(sentence_channels, deep)
        self.stage_projections = nn.ModuleList([
            conv_bn_relu(in_channels[0], shallow, 3),
            conv_bn_relu(in_channels[1], middle, 3),
            conv_bn_relu(in_channels[2], deep, 1),
        ])
        self.sentence_norm = nn.Sequential(nn.BatchNorm2d(deep), nn.ReLU(inplace=True))
        self.fuse_middle = conv_bn_relu(middle + deep, middle, 1)
        self.fuse_shallow = conv_bn_relu(shallow + middle, middle, 1)
        self.level_projections = nn.ModuleList([
            conv_bn_relu(middle, middle, 3),
            conv_bn_relu(middle, middle, 3),
            conv_bn_relu(deep, middle, 3),
        ])
        self.aggregate = conv_bn_relu(3 * middle, middle, 1)
        self.coordinates = CoordinateConvolutions(middle)

    def forward(self, encoded: EncoderOutput) -> FusedFeatures:
        """Fuse.

        Args:
            encoded (EncoderOutput): Of P expressions on M image rows, with three stages.

        Returns:
            FusedFeatures: Pixels ``(P, out_channels[1], h, w)`` on the middle stage's grid; words and sentence are
            the encoder's.

        Raises:
            ValueError: If the encoder does not give three stages, or a grid is not half, equal to or double the
                middle one.
            ValueError: If stages or sentence have other widths than ``in_channels`` and ``sentence_channels``.
            ValueError: If in training there is one expression alone, and BatchNorm is not synchronised.
        """
        self.check(encoded)
        self._check_rows(encoded.text.sentence.size(0))
        stages, text = encoded.image.stages, encoded.text
        grid = stages[1].shape[-2:]
        projected = [projection(stage) for projection, stage in zip(self.stage_projections, stages)]
        projected[0] = _to_grid(projected[0], grid)
        shallow, middle, deep = (stage.index_select(0, encoded.image_index) for stage in projected)

        sentence = self.sentence_projection(text.sentence)[:, :, None, None]
        deep = self.sentence_norm(deep * sentence)
        middle = self.fuse_middle(torch.cat((middle, _to_grid(deep, grid)), dim=1))
        shallow = self.fuse_shallow(torch.cat((shallow, middle), dim=1))

        levels = [projection(level) for projection, level in zip(self.level_projections, (shallow, middle, deep))]
        levels[2] = _to_grid(levels[2], grid)
        pixels = self.coordinates(self.aggregate(torch.cat(levels, dim=1)))
        return FusedFeatures(pixels=pixels, words=text.words, sentence=text.sentence, token_mask=text.token_mask)

    def _check_rows(self, rows: int) -> None:
        norm = self.sentence_projection[1]
        alone = isinstance(norm, nn.BatchNorm1d) or get_world_size() == 1
        if norm.training and alone and rows == 1:
            raise ValueError(
                'CRISNeck normalises sentences over the batch: training takes at least 2 expressions a batch, but got '
                '1: raise train_dataloader.batch_size or expressions_per_image (and lower --accumulate). Where only '
                'the last batch of an epoch is so small, set train_dataloader.drop_last=True.')


def _to_grid(level: Tensor, grid: torch.Size) -> Tensor:
    size = level.shape[-2:]
    if size == grid:
        return level
    if (size[0] * 2, size[1] * 2) == tuple(grid):
        return F.interpolate(level, scale_factor=2, mode='bilinear', align_corners=False)
    if (grid[0] * 2, grid[1] * 2) == tuple(size):
        return F.avg_pool2d(level, 2)
    raise ValueError(
        f'CRISNeck takes stages of half, equal or double the middle stage\'s grid, but got {size[0]} x {size[1]} '
        f'beside {grid[0]} x {grid[1]}.')
