"""Attention over tokens."""

from typing import Optional, Tuple

import torch.nn.functional as F
from torch import Tensor, nn


class MultiHeadAttention(nn.Module):
    """Attention with several heads (Vaswani et al., Attention Is All You Need, 2017), in which padding takes no part.

    To look at the weights of a model, register a forward pre-hook on each of these modules and give its inputs to
    :meth:`attention_weights`, which takes what ``forward`` takes.

    Args:
        channels (int): Width of all tokens, divisible by ``num_heads``.
        num_heads (int): Attention heads.

    Raises:
        ValueError: If ``channels`` is not divisible by ``num_heads``.
    """

    def __init__(self, channels: int, num_heads: int) -> None:
        super().__init__()
        _check_heads(channels, num_heads)
        self.num_heads = num_heads
        self.query = nn.Linear(channels, channels)
        self.key_value = nn.Linear(channels, 2 * channels)
        self.out = nn.Linear(channels, channels)

    def forward(self, tokens: Tensor, mask: Tensor, context: Optional[Tensor] = None) -> Tensor:
        """Let tokens attend.

        Args:
            tokens (Tensor): ``(P, T, channels)``.
            mask (Tensor): ``(P, S)`` bool, false where the context is padding. At least one is true in each row.
            context (Tensor, optional): ``(P, S, channels)``, what is attended to. Defaults to None: the tokens
                themselves.

        Returns:
            Tensor: ``(P, T, channels)``.
        """
        query, key, value = self._project(tokens, context)
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=mask[:, None, None])
        return self.out(_join_heads(attended))

    def attention_weights(self, tokens: Tensor, mask: Tensor, context: Optional[Tensor] = None) -> Tensor:
        """How much each token takes from where, for the same inputs as ``forward``.

        Returns:
            Tensor: ``(P, num_heads, T, S)``, each row of which sums to 1, with zeros on padding.
        """
        query, key, _ = self._project(tokens, context)
        return attention_matrix(query, key, mask[:, None, None])

    def _project(self, tokens: Tensor, context: Optional[Tensor]) -> Tuple[Tensor, Tensor, Tensor]:
        key, value = self.key_value(tokens if context is None else context).chunk(2, dim=-1)
        return tuple(_split_heads(one, self.num_heads) for one in (self.query(tokens), key, value))


class BiAttention(nn.Module):
    """Image and words exchange what they know by one matrix of similarities (Liu et al., Grounding DINO, ECCV 2024).

    With q the projections that are compared and v those that are passed on, a head gives ::

        S = q_image q_words^T / sqrt(width of the head)
        image: softmax(S) v_words       words: softmax(S^T) v_image

    Args:
        channels (int): Width of all tokens.
        num_heads (int): Attention heads.
        hidden_channels (int): Width of the projections, divisible by ``num_heads``.

    Raises:
        ValueError: If ``hidden_channels`` is not divisible by ``num_heads``.
    """

    def __init__(self, channels: int, num_heads: int, hidden_channels: int) -> None:
        super().__init__()
        _check_heads(hidden_channels, num_heads)
        self.num_heads = num_heads
        self.image_query_value = nn.Linear(channels, 2 * hidden_channels)
        self.word_query_value = nn.Linear(channels, 2 * hidden_channels)
        self.image_out = nn.Linear(hidden_channels, channels)
        self.word_out = nn.Linear(hidden_channels, channels)

    def forward(self, image: Tensor, words: Tensor, token_mask: Tensor) -> Tuple[Tensor, Tensor]:
        """Let each side attend to the other.

        Args:
            image (Tensor): ``(P, T, channels)``.
            words (Tensor): ``(P, L, channels)``.
            token_mask (Tensor): ``(P, L)`` bool, true on real tokens.

        Returns:
            tuple[Tensor, Tensor]: ``(P, T, channels)`` and ``(P, L, channels)``.
        """
        image_query, image_value = self._project(self.image_query_value, image)
        word_query, word_value = self._project(self.word_query_value, words)
        # Each call computes the similarities: that costs little beside the projections, and no memory for them.
        image_attended = F.scaled_dot_product_attention(
            image_query, word_query, word_value, attn_mask=token_mask[:, None, None])
        words_attended = F.scaled_dot_product_attention(word_query, image_query, image_value)
        return self.image_out(_join_heads(image_attended)), self.word_out(_join_heads(words_attended))

    def attention_weights(self, image: Tensor, words: Tensor, token_mask: Tensor) -> Tuple[Tensor, Tensor]:
        """How much each side takes from where on the other, for the same inputs as ``forward``.

        Returns:
            tuple[Tensor, Tensor]: Of the image on the words ``(P, num_heads, T, L)``, with zeros on padding, and of the
            words on the image ``(P, num_heads, L, T)``. Each row sums to 1.
        """
        image_query, _ = self._project(self.image_query_value, image)
        word_query, _ = self._project(self.word_query_value, words)
        return (attention_matrix(image_query, word_query, token_mask[:, None, None]),
                attention_matrix(word_query, image_query))

    def _project(self, projection: nn.Linear, tokens: Tensor) -> Tuple[Tensor, Tensor]:
        query, value = projection(tokens).chunk(2, dim=-1)
        return _split_heads(query, self.num_heads), _split_heads(value, self.num_heads)


def attention_matrix(query: Tensor, key: Tensor, mask: Optional[Tensor] = None) -> Tensor:
    """The weights by which ``F.scaled_dot_product_attention`` sums the values.

    Args:
        query (Tensor): ``(..., T, C)``.
        key (Tensor): ``(..., S, C)``.
        mask (Tensor, optional): Bool, broadcast to ``(..., T, S)``, false where a key takes no part. Defaults to None:
            all take part.

    Returns:
        Tensor: ``(..., T, S)``, each row of which sums to 1.
    """
    similarity = query @ key.transpose(-2, -1) * query.size(-1)**-0.5
    return (similarity if mask is None else similarity.masked_fill(~mask, float('-inf'))).softmax(dim=-1)


def _check_heads(channels: int, num_heads: int) -> None:
    if num_heads < 1 or channels % num_heads:
        raise ValueError(f'channels ({channels}) of attention must be divisible by num_heads ({num_heads}).')


def _split_heads(tokens: Tensor, num_heads: int) -> Tensor:
    return tokens.unflatten(2, (num_heads, -1)).transpose(1, 2)


def _join_heads(heads: Tensor) -> Tensor:
    return heads.transpose(1, 2).flatten(2)
