"""Whether a selection of patches finds the target."""

from typing import Optional

import torch
from torch import Tensor

from mmris.structures import TargetShare

from ..layers import mask_coverage

# From this share on, a patch counts as the target's.
COVERED = 0.5


def target_patches(target: Tensor, candidates: Tensor, region: Optional[Tensor] = None) -> Tensor:
    """Find the target's patches: those that it covers at least by half.

    If a target covers half of no patch, the patch that it covers most counts, or all of them if several tie.

    Args:
        target (Tensor): ``(P, 1, H, W)`` float in [0, 1], the masks in the input's geometry.
        candidates (Tensor): ``(P, h, w)`` bool. Only these patches can be the target's.
        region (Tensor, optional): ``(P, 4)`` float32, ``x0, y0, x1, y1`` of the rectangle of the input that the patches
            cover. Default: None, all of it.

    Returns:
        Tensor: ``(P, h, w)`` bool.
    """
    coverage = mask_coverage(target, tuple(candidates.shape[1:]), region).squeeze(1).masked_fill(~candidates, 0)
    largest = coverage.amax(dim=(1, 2), keepdim=True)
    return (coverage >= largest.clamp(max=COVERED)) & (coverage > 0)


@torch.no_grad()
def measure_target_share(selected: Tensor,
                         candidates: Tensor,
                         target: Tensor,
                         region: Optional[Tensor] = None) -> TargetShare:
    """Count the target's patches among the selected ones.

    Args:
        selected (Tensor): ``(P, h, w)`` bool, the selected patches.
        candidates (Tensor): ``(P, h, w)`` bool, the patches that could be selected.
        target (Tensor): ``(P, 1, H, W)`` float in [0, 1], the masks in the input's geometry.
        region (Tensor, optional): See :func:`target_patches`. Default: None.

    Returns:
        TargetShare: Of each expression.
    """
    patches = target_patches(target, candidates, region)
    # 0 / 0 is NaN: an expression without a target.
    share = (patches & selected).sum(dim=(1, 2)) / patches.sum(dim=(1, 2))
    chance = selected.sum(dim=(1, 2)) / candidates.sum(dim=(1, 2)).clamp(min=1)
    return TargetShare(target_share=share, chance=chance)


@torch.no_grad()
def measure_hidden_share(blocks: Tensor,
                         inside: Tensor,
                         target: Tensor,
                         region: Optional[Tensor] = None) -> TargetShare:
    """Measure how much of the target hidden blocks hide, in pixels.

    Args:
        blocks (Tensor): ``(P, h, w)`` bool, the hidden blocks.
        inside (Tensor): ``(P, h, w)`` bool, the blocks that hold some image, not only letterbox border.
        target (Tensor): ``(P, 1, H, W)`` float in [0, 1], the masks in the input's geometry.
        region (Tensor, optional): ``(P, 4)`` float32, ``x0, y0, x1, y1`` of the rectangle of the input that the blocks
            cover. Default: None, all of it.

    Returns:
        TargetShare: Of each expression: ``target_share``, the share of the target's pixels that is hidden, and
        ``chance``, the share of the blocks inside that are.
    """
    coverage = mask_coverage(target, tuple(blocks.shape[1:]), region).squeeze(1)
    # 0 / 0 is NaN: an expression without a target.
    share = (coverage * blocks).sum(dim=(1, 2)) / coverage.sum(dim=(1, 2))
    chance = (blocks & inside).sum(dim=(1, 2)) / inside.sum(dim=(1, 2)).clamp(min=1)
    return TargetShare(target_share=share, chance=chance)
