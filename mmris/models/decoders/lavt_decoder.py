"""A convolutional decoder over several depths of an encoder, in the manner of LAVT."""

from dataclasses import replace
from typing import Optional, Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmris.registry import MODELS
from mmris.structures import FusedFeatures

from ..layers import check_width, cosine_map


@MODELS.register_module()
class LAVTDecoder(BaseModule):
    """From the deepest stage to the shallowest, each joined by what came of the deeper one (LAVT, CVPR 2022).

    With v_1 to v_n the stages from shallow to deep, u bilinear upsampling, and D_i two 3x3 convolutions, each with
    ReLU and BatchNorm in this order, as RISCLIP writes them ::

        d_n = D_n([v_n; map])        map: the cosine of each pixel with the sentence, where wanted
        d_i = D_i([u(d_i+1); u(v_i)])

    Each u brings ``d_i+1`` to twice its grid, and ``v_i`` to that. RISCLIP doubles the last output too; that is left
    to the head (:class:`~mmris.models.heads.ConvolutionHead` with ``upsample=2``), which does so with one channel.

    Nothing here reads the words. Where the stages have not seen the sentence, as those of two towers
    (:class:`~mmris.models.encoders.CLIPEncoder`, :class:`~mmris.models.encoders.RISCLIPEncoder` without CFE), it enters
    by the patch map, or the head must read it: with neither, a model segments the same for every sentence.

    Args:
        in_channels (Sequence[int]): Widths of the stages, from shallow to deep.
        channels (int): Width of all D_i. Defaults to 768.
        patch_map (bool): Whether the deepest stage is joined by the cosine map of ``FusedFeatures``' pixels and
            sentence. Defaults to False.
        init_cfg (dict, optional): MMEngine initialisation. Defaults to None.

    Raises:
        ValueError: If ``in_channels`` is empty.
    """

    def __init__(self,
                 *,
                 in_channels: Sequence[int],
                 channels: int = 768,
                 patch_map: bool = False,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg=init_cfg)
        if not in_channels:
            raise ValueError('in_channels of LAVTDecoder must name the width of at least one stage, but is empty.')
        self.in_channels = tuple(in_channels)
        self.patch_map = patch_map
        deeper = [channels] * (len(in_channels) - 1) + [int(patch_map)]
        self.blocks = nn.ModuleList(
            nn.Sequential(*_conv_relu_bn(width + extra, channels), *_conv_relu_bn(channels, channels))
            for width, extra in zip(in_channels, deeper))

    def forward(self, fused: FusedFeatures) -> FusedFeatures:
        """Decode.

        Args:
            fused (FusedFeatures): With its ``stages``; with a patch map, its pixels lie on the deepest stage's grid,
                in one space with the sentence.

        Returns:
            FusedFeatures: Pixels ``(P, channels, 2^(n-1) h, 2^(n-1) w)`` for n stages, the deepest of h x w cells; all
            else as it was, without the stages.

        Raises:
            ValueError: If there are more or fewer stages than widths, or they have others.
            ValueError: If the pixels of the patch map lie on another grid than the deepest stage.
        """
        stages = fused.stages
        if len(stages) != len(self.blocks):
            raise ValueError(
                f'LAVTDecoder takes {len(self.blocks)} stages, but the neck gave {len(stages)}: set taps of the '
                f'encoder, and with_stages=True of JointSpaceNeck.')
        widths = tuple(stage.size(1) for stage in stages)
        check_width('LAVTDecoder', 'in_channels', self.in_channels, of='the stages', found=widths)
        decoded = self.blocks[-1](self._with_map(stages[-1], fused))
        for block, stage in zip(reversed(self.blocks[:-1]), reversed(stages[:-1])):
            decoded = F.interpolate(decoded, scale_factor=2, mode='bilinear', align_corners=False)
            decoded = block(torch.cat((decoded, _to_grid(stage, decoded.shape[-2:])), dim=1))
        return replace(fused, pixels=decoded, stages=())

    def _with_map(self, deepest: Tensor, fused: FusedFeatures) -> Tensor:
        if not self.patch_map:
            return deepest
        if deepest.shape[-2:] != fused.pixels.shape[-2:]:
            raise ValueError(
                f'The patch map of LAVTDecoder lies on {" x ".join(map(str, fused.pixels.shape[-2:]))} cells, the '
                f'deepest stage on {" x ".join(map(str, deepest.shape[-2:]))}: take an encoder whose patches are those '
                f'of its last stage.')
        return torch.cat((deepest, cosine_map(fused.pixels, fused.sentence).to(deepest.dtype)), dim=1)


def _conv_relu_bn(in_channels: int, out_channels: int) -> Sequence[nn.Module]:
    # With a bias: after a ReLU, BatchNorm does not stand for it.
    return nn.Conv2d(in_channels, out_channels, 3, padding=1), nn.ReLU(inplace=True), nn.BatchNorm2d(out_channels)


def _to_grid(stage: Tensor, grid: torch.Size) -> Tensor:
    if stage.shape[-2:] == grid:
        return stage
    return F.interpolate(stage, size=tuple(grid), mode='bilinear', align_corners=False)
