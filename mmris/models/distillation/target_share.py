"""Whether a selection of patches finds the target."""

import torch
from torch import Tensor

from mmris.structures import TargetShare

from ..layers import mask_coverage

# From this share on, a patch counts as the target's.
COVERED = 0.5


def target_patches(target: Tensor, candidates: Tensor) -> Tensor:
    """Find the target's patches: those that it covers at least by half.

    If a target covers half of no patch, the patch that it covers most counts, or all of them if several tie.

    Args:
        target (Tensor): ``(P, 1, H, W)`` float in [0, 1], the masks in the input's geometry.
        candidates (Tensor): ``(P, h, w)`` bool. Only these patches can be the target's.

    Returns:
        Tensor: ``(P, h, w)`` bool.
    """
    coverage = mask_coverage(target, tuple(candidates.shape[1:])).squeeze(1).masked_fill(~candidates, 0)
    largest = coverage.amax(dim=(1, 2), keepdim=True)
    return (coverage >= largest.clamp(max=COVERED)) & (coverage > 0)


@torch.no_grad()
def measure_target_share(selected: Tensor, candidates: Tensor, target: Tensor) -> TargetShare:
    """Count the target's patches among the selected ones.

    Args:
        selected (Tensor): ``(P, h, w)`` bool, the selected patches.
        candidates (Tensor): ``(P, h, w)`` bool, the patches that could be selected.
        target (Tensor): ``(P, 1, H, W)`` float in [0, 1], the masks in the input's geometry.

    Returns:
        TargetShare: Of each expression.
    """
    patches = target_patches(target, candidates)
    # 0 / 0 is NaN: an expression without a target.
    share = (patches & selected).sum(dim=(1, 2)) / patches.sum(dim=(1, 2))
    chance = selected.sum(dim=(1, 2)) / candidates.sum(dim=(1, 2)).clamp(min=1)
    return TargetShare(target_share=share, chance=chance)
