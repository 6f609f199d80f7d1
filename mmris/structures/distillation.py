"""What a distillation branch returns."""

from dataclasses import dataclass, fields
from typing import Dict, Optional

import torch
from torch import Tensor

from .tensor_structure import TensorStructure


@dataclass(frozen=True)
class BranchOutput(TensorStructure):
    """The loss of a branch, and what the branch measured beside it.

    Attributes:
        loss (Tensor): Scalar, weight included.
        measured (TensorStructure, optional): Its fields are scalars without gradient, such as a mean
            :class:`TargetShare`. None means nothing was measured.
    """

    loss: Tensor
    measured: Optional[TensorStructure] = None

    def measured_by_name(self, branch: str) -> Dict[str, Tensor]:
        """Name the measured values as they are logged.

        Args:
            branch (str): Name of the branch.

        Returns:
            dict[str, Tensor]: ``<field>_<branch>`` for each field of ``measured`` that is not None.

        Raises:
            ValueError: If one of these names contains ``loss``.
        """
        measured = {} if self.measured is None else {
            field.name: getattr(self.measured, field.name) for field in fields(self.measured)
        }
        values = {f'{name}_{branch}': value for name, value in measured.items() if value is not None}
        for name in values:
            if 'loss' in name:
                raise ValueError(
                    f'A measured value would be logged as {name!r}, but MMEngine optimises the sum of all values whose '
                    f'names contain "loss". Rename the distillation branch {branch!r} or the measured value.')
        return values


@dataclass(frozen=True)
class TargetShare(TensorStructure):
    """How many of the target's patches a selection holds, beside what a random selection would hold.

    Attributes:
        target_share (Tensor): ``(P,)`` float32 in [0, 1]: of the target's patches, the share that is selected. NaN
            where an expression has no target.
        chance (Tensor): ``(P,)`` float32 in [0, 1]: of all patches that could be selected, the share that is. A random
            selection of the same size holds this share of the target's patches on average.
    """

    target_share: Tensor
    chance: Tensor

    def mean(self) -> 'TargetShare':
        """Average over the expressions that have a target.

        Returns:
            TargetShare: Two scalars, always finite. If no expression has a target, both are the mean of ``chance``.
        """
        known = ~self.target_share.isnan()
        counted = (known | ~known.any()).float()
        weight = counted / counted.sum()
        share = torch.where(known, self.target_share, self.chance)
        return TargetShare(target_share=(weight * share).sum(), chance=(weight * self.chance).sum())


@dataclass(frozen=True)
class MaskedShares(TensorStructure):
    """How much of a batch was masked. What was not to be masked is None.

    Attributes:
        masked_image (Tensor, optional): Scalar in [0, 1], the share of the pixels.
        masked_words (Tensor, optional): Scalar in [0, 1], the share of the words that were chosen, special tokens not
            counted; those that stay as they are, are chosen, too.
        target_share (Tensor, optional): Scalar in [0, 1], the share of the targets' pixels that are masked.
        chance (Tensor, optional): Scalar in [0, 1], the share of the images' blocks that are masked, letterbox border
            not counted: what a mask hides on average of a target that may lie anywhere.
    """

    masked_image: Optional[Tensor] = None
    masked_words: Optional[Tensor] = None
    target_share: Optional[Tensor] = None
    chance: Optional[Tensor] = None


@dataclass(frozen=True)
class MaskedTokens(TensorStructure):
    """What a branch masks of one modality, of P expressions: patches ``(P, h, w)`` or words ``(P, L)``.

    Attributes:
        candidates (Tensor): bool, the tokens that could be masked.
        masked (Tensor): bool, those that are.
        selected (Tensor, optional): bool, those that a filter selected, among which the masked ones were drawn. None
            means that all candidates could be drawn.
        ratings (Tensor, optional): float32, what the filter selected by: the higher, the sooner.
    """

    candidates: Tensor
    masked: Tensor
    selected: Optional[Tensor] = None
    ratings: Optional[Tensor] = None


@dataclass(frozen=True)
class BranchView(TensorStructure):
    """One replay of a branch, to be looked at.

    Attributes:
        logits (Tensor): ``(P, 1, h, w)``, what is predicted of the masked batch.
        patches (MaskedTokens, optional): The masks of images. None means images are whole.
        words (MaskedTokens, optional): The masks of sentences. None means sentences are whole.
    """

    logits: Tensor
    patches: Optional[MaskedTokens] = None
    words: Optional[MaskedTokens] = None
