"""The decoder of MaIL: doubles the grid step by step, beside the mask of the instances that it selects."""

from dataclasses import replace
from typing import Optional, Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmris.registry import MODELS
from mmris.structures import FusedFeatures, InstanceFeatures

from ..layers import check_width, mask_coverage


@MODELS.register_module()
class ProgressiveDecoder(BaseModule):
    """Pixels at twice the grid, then a 3x3 convolution with BatchNorm and ReLU, as often as there are widths.

    A reconstruction of MaIL's decoder, of which no more is known than that it is not a fusion of modalities. With
    mask selection, an MLP scores how likely each instance is what the sentence refers to, and the union of the masks,
    each weighted by its probability, is one more channel before each convolution, at that grid ::

        union = max_k sigmoid(score_k) mask_k        0 where no instance is
        pixels <- ReLU(BN(conv([up(pixels); union])))

    Nothing here reads the sentence. The pixels must have seen it, as those of a joint encoder
    (:class:`~mmris.models.encoders.TrimodalEncoder`, :class:`~mmris.models.encoders.BEiT3Encoder`) and of
    :class:`~mmris.models.encoders.RISCLIPEncoder` with CFE or SKE, or those of a neck that fuses; or the head must read
    it. Else a model segments the same for every sentence.

    Args:
        in_channels (int): Width of the pixels, and of the instances.
        channels (Sequence[int]): Width after each doubling. From patches of 32 pixels three lead to stride 4. Defaults
            to (256, 128, 64).
        mask_selection (bool): Whether to select among instances, which the encoder must give. Defaults to False.
        init_cfg (dict, optional): MMEngine initialisation. Defaults to None.

    Raises:
        ValueError: If ``channels`` is empty.
    """

    def __init__(self,
                 *,
                 in_channels: int,
                 channels: Sequence[int] = (256, 128, 64),
                 mask_selection: bool = False,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg=init_cfg)
        if not channels:
            raise ValueError('channels of ProgressiveDecoder must name the width after at least one doubling, but is '
                             'empty.')
        self.mask_selection = None
        if mask_selection:
            self.mask_selection = nn.Sequential(
                nn.Linear(in_channels, in_channels), nn.GELU(), nn.Linear(in_channels, 1))
        self.in_channels = in_channels
        widths = (in_channels, *channels)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width + int(mask_selection), out, 3, padding=1, bias=False), nn.BatchNorm2d(out),
                nn.ReLU(inplace=True)) for width, out in zip(widths, widths[1:]))

    def forward(self, fused: FusedFeatures) -> FusedFeatures:
        """Decode.

        Args:
            fused (FusedFeatures): Pixels ``(P, in_channels, h, w)``; for mask selection with instances.

        Returns:
            FusedFeatures: Pixels ``(P, channels[-1], 2^n h, 2^n w)`` for n widths; instances with their scores, where
            they are selected.

        Raises:
            ValueError: If the pixels have another width than ``in_channels``.
            ValueError: If there are no instances to select among.
        """
        pixels, instances, union = fused.pixels, fused.instances, None
        check_width('ProgressiveDecoder', 'in_channels', self.in_channels, of='the pixels', found=pixels.size(1))
        if self.mask_selection is not None:
            instances = self._select(instances)
            scale = 2**len(self.blocks)
            union = weighted_union(instances, (scale * pixels.size(2), scale * pixels.size(3))).to(pixels.dtype)
        for block in self.blocks:
            pixels = F.interpolate(pixels, scale_factor=2, mode='bilinear', align_corners=False)
            if union is not None:
                # Not adaptive, which has no deterministic gradient on GPUs.
                pixels = torch.cat((pixels, F.avg_pool2d(union, union.size(2) // pixels.size(2))), dim=1)
            pixels = block(pixels)
        return replace(fused, pixels=pixels, instances=instances)

    def _select(self, instances: Optional[InstanceFeatures]) -> InstanceFeatures:
        if instances is None:
            raise ValueError(
                'ProgressiveDecoder is to select among instance masks, but the neck gave none: take an encoder with '
                'masks=True and JointSpaceNeck, or set mask_selection=False.')
        return replace(instances, scores=self.mask_selection(instances.tokens).squeeze(2))


def weighted_union(instances: InstanceFeatures, size: Sequence[int]) -> Tensor:
    """The union of instance masks, each weighted by its probability of being meant: at each cell the largest product.

    Args:
        instances (InstanceFeatures): With scores, K instances for each of P expressions.
        size (Sequence[int]): Height and width in cells.

    Returns:
        Tensor: ``(P, 1, height, width)`` float32 in [0, 1]; zeros where no mask is.
    """
    # Each image once, not once a sentence.
    covered = mask_coverage(instances.found.values.masks, tuple(size)).index_select(0, instances.found.index)
    weighted = covered * (instances.scores.float().sigmoid() * instances.present)[:, :, None, None]
    # An image without masks has a maximum too.
    return F.pad(weighted, (0, 0, 0, 0, 0, 1)).amax(dim=1, keepdim=True)
