"""One layer in which image and words meet, in three forms."""

from typing import Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attention import BiAttention, MultiHeadAttention

FUSIONS = ('self_attention', 'cross_attention', 'bidirectional')
# Of the bi-attention's projections to its tokens: 2048 at 512 channels.
BIDIRECTIONAL_RATIO = 4


class FusionLayer(nn.Module):
    """Pre-norm attention between an image and its words, and where wanted an MLP for both.

    ``y' = A(LN(y)) + y`` and ``u = MLP(LN(y')) + y'`` (Shared-RIS, eqs. 6, 8 and 9), with A one of

    - ``'self_attention'``: multi-head self-attention over image and words as one sequence,
    - ``'cross_attention'``: the image asks the words, which stay as they are and have no part in the MLP,
    - ``'bidirectional'``: Grounding DINO's :class:`BiAttention`, four times as wide as the tokens. Its layer scale,
      which is no part of the attention, is left out.

    Shared-RIS compares the three without describing the latter two further: how they are built here is ours.

    Args:
        channels (int): Width of all tokens, divisible by ``num_heads``.
        num_heads (int): Attention heads.
        fusion (str): One of the above.
        mlp_ratio (int, optional): Hidden width of the MLP (linear, GELU, linear) to ``channels``. Defaults to None:
            there is no MLP.

    Raises:
        ValueError: If ``fusion`` is none of the above.
        ValueError: If ``channels`` is not divisible by ``num_heads``.
    """

    def __init__(self, *, channels: int, num_heads: int, fusion: str, mlp_ratio: Optional[int] = None) -> None:
        super().__init__()
        if fusion not in FUSIONS:
            raise ValueError(f'fusion must be one of {", ".join(FUSIONS)}, but got {fusion!r}.')
        self.fusion = fusion
        self.norm = nn.LayerNorm(channels)
        if fusion == 'bidirectional':
            self.attention = BiAttention(channels, num_heads, BIDIRECTIONAL_RATIO * channels)
        else:
            self.attention = MultiHeadAttention(channels, num_heads)
        self.mlp = None
        if mlp_ratio is not None:
            hidden = mlp_ratio * channels
            self.mlp = nn.Sequential(
                nn.LayerNorm(channels), nn.Linear(channels, hidden), nn.GELU(), nn.Linear(hidden, channels))

    def forward(self, image: Tensor, words: Tensor, token_mask: Tensor) -> Tuple[Tensor, Tensor]:
        """Fuse.

        Args:
            image (Tensor): ``(P, T, channels)``, none of them padding.
            words (Tensor): ``(P, L, channels)``.
            token_mask (Tensor): ``(P, L)`` bool, true on real tokens.

        Returns:
            tuple[Tensor, Tensor]: Image and words, refined, in their shapes. What padding becomes means nothing.
        """
        if self.fusion == 'cross_attention':
            return self._refine(image, self.attention(self.norm(image), token_mask, self.norm(words))), words
        sizes = (image.size(1), words.size(1))
        tokens = torch.cat((image, words), dim=1)
        normed = self.norm(tokens)
        if self.fusion == 'bidirectional':
            attended = torch.cat(self.attention(*normed.split(sizes, dim=1), token_mask), dim=1)
        else:
            attended = self.attention(normed, F.pad(token_mask, (image.size(1), 0), value=True))
        return self._refine(tokens, attended).split(sizes, dim=1)

    def _refine(self, tokens: Tensor, attended: Tensor) -> Tensor:
        tokens = tokens + attended
        return tokens if self.mlp is None else tokens + self.mlp(tokens)
