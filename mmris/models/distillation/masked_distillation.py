"""What both branches of masked self-distillation share."""

import copy
from abc import abstractmethod
from contextlib import nullcontext
from typing import Optional, Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmris.registry import MODELS
from mmris.structures import BranchOutput, EncoderOutput, MainPass, TensorStructure

from ..encoders import Encoder
from ..layers import keep_running_statistics


class MaskedDistillation(BaseModule):
    """Replays a model on partly masked embeddings and pulls the result to the main branch's (CM-MaskSD, eq. 9).

    A branch owns its mask token, its correlation filter, its loss and, where it does not share them, its own copy of
    the stages after the encoder. Nothing of it runs at inference.

    Args:
        encoder (Encoder): The encoder that will be replayed. Given by the segmentor, not kept.
        stages (Sequence[nn.Module]): Neck, decoder and head. Given by the segmentor; copied if not shared, else not
            kept.
        mask_ratio (float): Share of the selected tokens that is masked, in [0, 1]: the paper's alpha, 0.25 for
            patches and 0.1 for words.
        loss (dict): Config of the loss between the branch's logits and the main branch's probabilities; holds the
            branch's weight as ``loss_weight``: the paper's lambda, 0.75 for patches and 0.1 for words.
        correlation_filter (dict): Config of the filter. Defaults to ``CorrelationFilter(top_k=0.5)``.
        share_weights (bool): Replay through the main branch's own neck, decoder and head (the paper's final model)
            instead of a copy (its single-branch ablations; Table 5). The encoder is always shared. Defaults to True.
        detach_teacher (bool): Let no gradient flow into the main branch's probabilities. Defaults to True.
        update_statistics (bool): Let replays update BatchNorm's running statistics of modules shared with the main
            branch. Otherwise they normalise by their own batch and leave those to the main branch. Defaults to False.
        init_cfg (dict, optional): MMEngine initialisation. Defaults to None.

    Raises:
        ValueError: If ``mask_ratio`` is not in [0, 1].
    """

    def __init__(self,
                 *,
                 encoder: Encoder,
                 stages: Sequence[nn.Module],
                 mask_ratio: float,
                 loss: dict,
                 correlation_filter: dict = dict(type='mmris.CorrelationFilter', top_k=0.5),
                 share_weights: bool = True,
                 detach_teacher: bool = True,
                 update_statistics: bool = False,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg=init_cfg)
        if not 0 <= mask_ratio <= 1:
            raise ValueError(f'mask_ratio of {type(self).__name__} is a share in [0, 1], but got {mask_ratio}.')
        self.mask_ratio = mask_ratio
        self.detach_teacher = detach_teacher
        self.update_statistics = update_statistics
        self.correlation_filter = MODELS.build(correlation_filter)
        self.loss = MODELS.build(loss)
        self.mask_token = nn.Parameter(torch.randn(self.mask_token_channels(encoder)) * 0.02)
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
        """Replay the model on masked embeddings and compare.

        Args:
            main (MainPass): What the main branch computed.
            encoder (Encoder): The main branch's encoder.
            stages (Sequence[nn.Module]): The main branch's neck, decoder and head.
            target (Tensor, optional): ``(P, 1, H, W)`` float in [0, 1], the ground truth in the input's geometry. Only
                :meth:`measure` sees it, never the loss. Defaults to None: nothing is measured.

        Returns:
            BranchOutput: The weighted loss, and what was measured.
        """
        selected = self.select(main)
        mask = self.draw(selected)
        shared = (encoder, *(stages if self.stages is None else ()))
        with nullcontext() if self.update_statistics else keep_running_statistics(*shared):
            logits = self._decode(self.replay(main, encoder, mask), stages)
        teacher = main.logits.detach() if self.detach_teacher else main.logits
        return BranchOutput(
            loss=self.loss(logits, teacher.sigmoid()),
            measured=None if target is None else self.measure(main, selected, target))

    def _decode(self, encoded: EncoderOutput, stages: Sequence[nn.Module]) -> Tensor:
        features = encoded
        for stage in (stages if self.stages is None else self.stages):
            features = stage(features)
        return features

    @staticmethod
    @abstractmethod
    def mask_token_channels(encoder: Encoder) -> int:
        """Width of what the mask token replaces."""

    @abstractmethod
    def select(self, main: MainPass) -> Tensor:
        """Select the tokens that may be masked.

        Args:
            main (MainPass): What the main branch computed.

        Returns:
            Tensor: bool, a row for each expression.
        """

    @abstractmethod
    def draw(self, selected: Tensor) -> Tensor:
        """Draw the tokens to mask among the selected ones.

        Args:
            selected (Tensor): What :meth:`select` returned.

        Returns:
            Tensor: bool, of the same shape.
        """

    @abstractmethod
    def replay(self, main: MainPass, encoder: Encoder, mask: Tensor) -> EncoderOutput:
        """Mask and encode again.

        Args:
            main (MainPass): What the main branch computed.
            encoder (Encoder): The main branch's encoder.
            mask (Tensor): What :meth:`draw` returned.
        """

    def measure(self, main: MainPass, selected: Tensor, target: Tensor) -> Optional[TensorStructure]:
        """Compare the selection with the ground truth, for the log; nothing by default.

        Args:
            main (MainPass): What the main branch computed.
            selected (Tensor): What :meth:`select` returned.
            target (Tensor): ``(P, 1, H, W)`` float in [0, 1], the ground truth in the input's geometry.

        Returns:
            TensorStructure or None: Fields are scalars without gradient, each logged as ``<field>_<branch>``.
        """
        return None
