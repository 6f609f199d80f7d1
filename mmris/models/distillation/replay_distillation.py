"""What all branches that replay a model share."""

import copy
from abc import abstractmethod
from contextlib import nullcontext
from typing import Any, Dict, Optional, Sequence, Tuple

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmris.registry import MODELS
from mmris.structures import BranchOutput, BranchView, EncoderOutput, MainPass, MaskedTokens, TensorStructure

from ..encoders import Encoder
from ..layers import keep_running_statistics


class ReplayDistillation(BaseModule):
    """Replays a model on a masked batch, and pulls the result to what the main branch predicts.

    A subclass says what is masked (:meth:`encode_masked`). A branch owns its loss and, where it does not share them,
    its own copy of the stages after the encoder. Nothing of it runs at inference.

    Args:
        stages (Sequence[nn.Module]): Neck, decoder and head. Given by the segmentor; copied if not shared, else not
            kept.
        loss (dict): Config of the loss between the branch's logits and the main branch's probabilities; holds the
            branch's weight as ``loss_weight``.
        share_weights (bool): Replay through the main branch's own neck, decoder and head instead of a copy. The
            encoder is always shared. Defaults to True.
        detach_teacher (bool): Let no gradient flow into the main branch's probabilities. Defaults to True.
        update_statistics (bool): Let replays update BatchNorm's running statistics of modules shared with the main
            branch. Otherwise they normalise by their own batch and leave those to the main branch. Defaults to False.
        init_cfg (dict, optional): MMEngine initialisation. Defaults to None.
    """

    def __init__(self,
                 *,
                 stages: Sequence[nn.Module],
                 loss: dict,
                 share_weights: bool = True,
                 detach_teacher: bool = True,
                 update_statistics: bool = False,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg=init_cfg)
        self.detach_teacher = detach_teacher
        self.update_statistics = update_statistics
        self.loss = MODELS.build(loss)
        self.stages = None if share_weights else nn.Sequential(*copy.deepcopy(list(stages)))

    def copy_stages(self, stages: Sequence[nn.Module]) -> None:
        """Give the branch's own copies, if it has any, the weights of the main branch's stages."""
        if self.stages is not None:
            for own, stage in zip(self.stages, stages):
                own.load_state_dict(stage.state_dict())

    def forward(self,
                main: MainPass,
                encoder: Encoder,
                stages: Sequence[nn.Module],
                target: Optional[Tensor] = None) -> BranchOutput:
        """Replay the model on a masked batch and compare.

        Args:
            main (MainPass): What the main branch computed.
            encoder (Encoder): The main branch's encoder.
            stages (Sequence[nn.Module]): The main branch's neck, decoder and head.
            target (Tensor, optional): ``(P, 1, H, W)`` float in [0, 1], the ground truth in the input's geometry. Only
                :meth:`measure` sees it, never the loss. Defaults to None: nothing is measured.

        Returns:
            BranchOutput: The weighted loss, and what was measured.
        """
        shared = (encoder, *(stages if self.stages is None else ()))
        with nullcontext() if self.update_statistics else keep_running_statistics(*shared):
            encoded, masks = self.encode_masked(main, encoder)
            logits = self._decode(encoded, stages)
        teacher = main.logits.detach() if self.detach_teacher else main.logits
        return BranchOutput(
            loss=self.loss(logits, teacher.sigmoid()),
            measured=None if target is None else self.measure(main, masks, target))

    def _decode(self, encoded: EncoderOutput, stages: Sequence[nn.Module]) -> Tensor:
        features = encoded
        for stage in (stages if self.stages is None else self.stages):
            features = stage(features)
        return features

    @torch.no_grad()
    def view(self, main: MainPass, encoder: Encoder, stages: Sequence[nn.Module]) -> BranchView:
        """Replay the model once, to look at what is masked and what is predicted then.

        Args:
            main (MainPass), encoder (Encoder), stages (Sequence[nn.Module]): See :meth:`forward`.

        Returns:
            BranchView: Masks and logits of P expressions.
        """
        encoded, masks = self.encode_masked(main, encoder)
        return BranchView(logits=self._decode(encoded, stages), **self.view_masks(main, masks))

    @abstractmethod
    def view_masks(self, main: MainPass, masks: Any) -> Dict[str, MaskedTokens]:
        """Say what was masked.

        Args:
            main (MainPass): What the main branch computed.
            masks (Any): What :meth:`encode_masked` gave of the masks.

        Returns:
            dict[str, MaskedTokens]: ``patches``, ``words`` or both, as :class:`BranchView` has them.
        """

    @abstractmethod
    def encode_masked(self, main: MainPass, encoder: Encoder) -> Tuple[EncoderOutput, Any]:
        """Draw masks, and encode the batch with them.

        Args:
            main (MainPass): What the main branch computed.
            encoder (Encoder): The main branch's encoder.

        Returns:
            tuple[EncoderOutput, Any]: The masked batch, and what :meth:`measure` is to know of the masks.
        """

    def measure(self, main: MainPass, masks: Any, target: Tensor) -> Optional[TensorStructure]:
        """Compare the masks with the ground truth, for the log; nothing by default.

        Args:
            main (MainPass): What the main branch computed.
            masks (Any): What :meth:`encode_masked` gave of them.
            target (Tensor): ``(P, 1, H, W)`` float in [0, 1], the ground truth in the input's geometry.

        Returns:
            TensorStructure or None: Fields are scalars without gradient, each logged as ``<field>_<branch>``.
        """
        return None
