"""What both branches of masked self-distillation share."""

import copy
from abc import abstractmethod
from contextlib import nullcontext
from typing import Optional, Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmris.registry import MODELS
from mmris.structures import EncoderOutput, MainPass

from ..encoders import Encoder
from ..layers import keep_running_statistics


class MaskedDistillation(BaseModule):
    """Replays a model on partly masked embeddings and pulls the result to the main branch's (CM-MaskSD, eq. 9).

    A branch owns its mask token, its correlation filter, its loss and, where it does not share them, its own copy of
    the stages after the encoder. Nothing of it runs at inference.

    Args:
        stages (Sequence[nn.Module]): Neck, decoder and head. Copied if not shared, else not kept.
        channels (int): Width of the mask token.
        mask_ratio (float): Share of the selected tokens that is masked, in [0, 1]. The paper's alpha.
        correlation_filter (dict): Config of the filter.
        loss (dict): Config of the loss between the branch's logits and the main branch's probabilities; holds the
            branch's weight as ``loss_weight``.
        share_weights (bool): Replay through the main branch's own neck, decoder and head (the paper's final model)
            instead of a copy (its single-branch ablations; Table 5). The encoder is always shared.
        detach_teacher (bool): Let no gradient flow into the main branch's probabilities.
        update_statistics (bool): Let replays update BatchNorm's running statistics of modules shared with the main
            branch. Otherwise they normalise by their own batch and leave those to the main branch.
        init_cfg (dict, optional): MMEngine initialisation.

    Raises:
        ValueError: If ``mask_ratio`` is not in [0, 1].
    """

    def __init__(self, *, stages: Sequence[nn.Module], channels: int, mask_ratio: float,
                 correlation_filter: dict, loss: dict, share_weights: bool, detach_teacher: bool,
                 update_statistics: bool, init_cfg: Optional[dict]) -> None:
        super().__init__(init_cfg=init_cfg)
        if not 0 <= mask_ratio <= 1:
            raise ValueError(f'mask_ratio of {type(self).__name__} is a share in [0, 1], but got {mask_ratio}.')
        self.mask_ratio = mask_ratio
        self.detach_teacher = detach_teacher
        self.update_statistics = update_statistics
        self.correlation_filter = MODELS.build(correlation_filter)
        self.loss = MODELS.build(loss)
        self.mask_token = nn.Parameter(torch.randn(channels) * 0.02)
        self.stages = None if share_weights else nn.Sequential(*copy.deepcopy(list(stages)))

    def start_from(self, stages: Sequence[nn.Module]) -> None:
        """Give the branch's own copies, if it has any, the weights of the main branch's stages."""
        if self.stages is not None:
            for own, stage in zip(self.stages, stages):
                own.load_state_dict(stage.state_dict())

    def forward(self, main: MainPass, encoder: Encoder, stages: Sequence[nn.Module]) -> Tensor:
        """Replay the model on masked embeddings and compare.

        Args:
            main (MainPass): What the main branch computed.
            encoder (Encoder): The main branch's encoder.
            stages (Sequence[nn.Module]): The main branch's neck, decoder and head.

        Returns:
            Tensor: Scalar, the weighted loss.
        """
        shared = (encoder, *(stages if self.stages is None else ()))
        with nullcontext() if self.update_statistics else keep_running_statistics(*shared):
            logits = self._decode(self.replay(main, encoder), stages)
        teacher = main.logits.detach() if self.detach_teacher else main.logits
        return self.loss(logits, teacher.sigmoid())

    def _decode(self, encoded: EncoderOutput, stages: Sequence[nn.Module]) -> Tensor:
        features = encoded
        for stage in (stages if self.stages is None else self.stages):
            features = stage(features)
        return features

    @abstractmethod
    def replay(self, main: MainPass, encoder: Encoder) -> EncoderOutput:
        """Mask and encode again."""
