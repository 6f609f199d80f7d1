"""What both branches of CM-MaskSD's masked self-distillation share."""

from abc import abstractmethod
from typing import Any, Sequence, Tuple

import torch
from torch import Tensor, nn

from mmris.registry import MODELS
from mmris.structures import EncoderOutput, MainPass, MaskedTokens

from ..encoders import Encoder
from .replay_distillation import ReplayDistillation


class MaskedDistillation(ReplayDistillation):
    """Replays a model on partly masked embeddings and pulls the result to the main branch's (CM-MaskSD, eq. 9).

    The tokens that may be masked are selected by the other modality, and a part of them is drawn and replaced by a
    learned vector. Beside what all replays have, a branch owns this mask token and its correlation filter.

    Args:
        encoder (Encoder): The encoder that will be replayed. Given by the segmentor, not kept.
        stages (Sequence[nn.Module]): Neck, decoder and head. Given by the segmentor.
        mask_ratio (float): Share of the selected tokens that is masked, in [0, 1]: the paper's alpha, 0.25 for
            patches and 0.1 for words.
        correlation_filter (dict): Config of the filter. Defaults to ``CorrelationFilter(top_k=0.5)``.
        **kwargs: Of :class:`ReplayDistillation`. The paper's weights of the loss, its lambda, are 0.75 for patches and
            0.1 for words; its final model shares the stages, its single-branch ablations (Table 5) do not.

    Raises:
        ValueError: If ``mask_ratio`` is not in [0, 1].
    """

    def __init__(self,
                 *,
                 encoder: Encoder,
                 stages: Sequence[nn.Module],
                 mask_ratio: float,
                 correlation_filter: dict = dict(type='mmris.CorrelationFilter', top_k=0.5),
                 **kwargs: Any) -> None:
        super().__init__(stages=stages, **kwargs)
        if not 0 <= mask_ratio <= 1:
            raise ValueError(f'mask_ratio of {type(self).__name__} is a share in [0, 1], but got {mask_ratio}.')
        self.mask_ratio = mask_ratio
        self.correlation_filter = MODELS.build(correlation_filter)
        self.mask_token = nn.Parameter(torch.zeros(self.mask_token_channels(encoder)))

    def init_weights(self) -> None:
        """Draw the mask token: after all else, so that a model begins alike with the branch and without."""
        super().init_weights()
        nn.init.normal_(self.mask_token, std=0.02)

    def encode_masked(self, main: MainPass, encoder: Encoder) -> Tuple[EncoderOutput, MaskedTokens]:
        """Rate, select, draw and replay."""
        candidates, ratings, selected = self._rate_and_select(main)
        masked = self.draw(selected)
        found = MaskedTokens(candidates=candidates, masked=masked, selected=selected, ratings=ratings)
        return self.replay(main, encoder, masked), found

    def select(self, main: MainPass) -> Tensor:
        """Select the tokens that may be masked.

        Args:
            main (MainPass): What the main branch computed.

        Returns:
            Tensor: bool, a row for each expression.
        """
        return self._rate_and_select(main)[-1]

    @torch.no_grad()
    def _rate_and_select(self, main: MainPass) -> Tuple[Tensor, Tensor, Tensor]:
        query, tokens, candidates = self.guide(main)
        ratings = self.correlation_filter.rate(query, tokens)
        selected = self.correlation_filter.choose(ratings, candidates.flatten(1))
        return candidates, ratings.view_as(candidates), selected.view_as(candidates)

    @staticmethod
    @abstractmethod
    def mask_token_channels(encoder: Encoder) -> int:
        """Width of what the mask token replaces."""

    @abstractmethod
    def guide(self, main: MainPass) -> Tuple[Tensor, Tensor, Tensor]:
        """Find what the filter compares.

        Args:
            main (MainPass): What the main branch computed.

        Returns:
            tuple[Tensor]: The other modality's global vector ``(P, D)``, the tokens ``(P, N, D)``, and which of them
            may be selected, bool, ``(P, N)`` or ``(P, h, w)`` with h * w = N.
        """

    @abstractmethod
    def draw(self, selected: Tensor) -> Tensor:
        """Draw the tokens to mask among the selected ones.

        Args:
            selected (Tensor): bool, a row for each expression.

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
