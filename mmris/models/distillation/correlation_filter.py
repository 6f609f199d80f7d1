"""Which tokens of one modality may be masked: those that belong most to the other modality's global vector."""

from abc import abstractmethod
from contextlib import nullcontext
from typing import ContextManager

import torch
from torch import Tensor, nn

from mmris.registry import MODELS

from ..layers import check_joint_space


class TokenFilter(nn.Module):
    """Selects a share of the candidates of each row.

    Args:
        top_k (float): Share of the candidates, in (0, 1].

    Raises:
        ValueError: If ``top_k`` is not in (0, 1].
    """

    def __init__(self, *, top_k: float = 0.5) -> None:
        super().__init__()
        if not 0 < top_k <= 1:
            raise ValueError(f'top_k of {type(self).__name__} is a share in (0, 1], but got {top_k}.')
        self.top_k = top_k

    @torch.no_grad()
    def forward(self, query: Tensor, tokens: Tensor, candidates: Tensor) -> Tensor:
        """Select.

        Args:
            query (Tensor): ``(P, D)``, the other modality's global vector.
            tokens (Tensor): ``(P, N, D)``.
            candidates (Tensor): ``(P, N)`` bool, the tokens that may be selected.

        Returns:
            Tensor: ``(P, N)`` bool. Of n candidates in a row, ``max(1, round(top_k * n))`` are selected (halves round
            up); none where there is no candidate.
        """
        return self.choose(self.rate(query, tokens), candidates)

    def choose(self, ratings: Tensor, candidates: Tensor) -> Tensor:
        """Select the tokens of highest rating among the candidates: see :meth:`forward`."""
        keep = torch.floor(self.top_k * candidates.sum(dim=1) + 0.5).clamp(min=1)
        return highest(ratings, keep, candidates)

    @abstractmethod
    def rate(self, query: Tensor, tokens: Tensor) -> Tensor:
        """Rate all tokens, ``(P, N)``: those of highest rate are selected."""


@MODELS.register_module()
class CorrelationFilter(TokenFilter):
    """Selects the tokens of highest correlation with a vector (CM-MaskSD, eqs. 3 and 6).

    The correlation is the dot product in the joint space. Of ``n`` candidates in a row, ``T = max(1, round(top_k *
    n))`` are selected (halves round up), wherever they lie; none where there is no candidate.

    Args:
        top_k (float): Share of the candidates, in (0, 1]. The paper's TopK. Defaults to 0.5.

    Raises:
        ValueError: If ``top_k`` is not in (0, 1].
    """

    def rate(self, query: Tensor, tokens: Tensor) -> Tensor:
        """Correlate all tokens with the query: ``(P, N)``.

        Raises:
            ValueError: If the two differ in width, so that they lie in no joint space.
        """
        check_joint_space(type(self).__name__, tokens.size(-1), query.size(-1))
        # In half precision many correlations would be equal, and their order an accident.
        with _full_precision(query.device.type):
            return torch.einsum('pd,pnd->pn', query.float(), tokens.float())


@MODELS.register_module()
class RandomFilter(TokenFilter):
    """Selects as many tokens as :class:`CorrelationFilter`, but at random, whatever they hold.

    It shows what the correlation is good for: CM-MaskSD's branches with it mask as much, without the other modality's
    say. It needs no joint space.

    Args:
        top_k (float): Share of the candidates, in (0, 1]. Defaults to 0.5.

    Raises:
        ValueError: If ``top_k`` is not in (0, 1].
    """

    def rate(self, query: Tensor, tokens: Tensor) -> Tensor:
        """Rate all tokens at random: ``(P, N)``."""
        return torch.rand(tokens.shape[:2], device=tokens.device)


def _full_precision(device: str) -> ContextManager:
    # The meta device, on which costs are counted, has no autocast to switch off.
    return torch.autocast(device, enabled=False) if torch.amp.is_autocast_available(device) else nullcontext()


def highest(scores: Tensor, count: Tensor, candidates: Tensor) -> Tensor:
    """Mark the candidates of highest score in each row.

    Args:
        scores (Tensor): ``(P, N)``.
        count (Tensor): ``(P,)``, how many to mark; all candidates where there are fewer.
        candidates (Tensor): ``(P, N)`` bool.

    Returns:
        Tensor: ``(P, N)`` bool.
    """
    order = scores.masked_fill(~candidates, float('-inf')).argsort(dim=1, descending=True, stable=True)
    rank = torch.empty_like(order).scatter_(
        1, order, torch.arange(scores.size(1), device=scores.device).expand_as(order))
    return (rank < count[:, None]) & candidates
