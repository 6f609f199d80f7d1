"""SAM's transformer between a few tokens and an image, which both change."""

from typing import Optional, Tuple

import torch.nn.functional as F
from torch import Tensor, nn


class TwoWayAttention(nn.Module):
    """Attention whose queries, keys and values come from three places, in a narrower space where wanted.

    Args:
        channels (int): Width of all that comes and goes.
        num_heads (int): Attention heads.
        downsample (int): By how much the space of queries, keys and values is narrower. Default: 1.

    Raises:
        ValueError: If the inner width is no whole number, or not divisible by ``num_heads``.
    """

    def __init__(self, channels: int, num_heads: int, downsample: int = 1) -> None:
        super().__init__()
        if channels % (downsample * num_heads):
            raise ValueError(f'channels ({channels}) of attention must be divisible by downsample ({downsample}) times '
                             f'num_heads ({num_heads}).')
        self.num_heads = num_heads
        inner = channels // downsample
        self.query = nn.Linear(channels, inner)
        self.key = nn.Linear(channels, inner)
        self.value = nn.Linear(channels, inner)
        self.out = nn.Linear(inner, channels)

    def forward(self,
                query: Tensor,
                key: Tensor,
                value: Tensor,
                *,
                query_rows: Optional[Tensor] = None,
                key_rows: Optional[Tensor] = None) -> Tensor:
        """Attend.

        Args:
            query (Tensor): ``(P, T, channels)``, or ``(B, T, channels)`` with ``query_rows``.
            key (Tensor): ``(P, S, channels)``, or ``(B, S, channels)`` with ``key_rows``.
            value (Tensor): As ``key``.
            query_rows (Tensor, optional): ``(P,)`` int64, the row of ``query`` for each of the P: rows are projected
                before they are copied. Default: None, each has its own.
            key_rows (Tensor, optional): The same of ``key`` and ``value``. Default: None.

        Returns:
            Tensor: ``(P, T, channels)``.
        """
        pairs = ((self.query(query), query_rows), (self.key(key), key_rows), (self.value(value), key_rows))
        attended = F.scaled_dot_product_attention(*(self._heads(tokens, rows) for tokens, rows in pairs))
        return self.out(attended.transpose(1, 2).flatten(2))

    def _heads(self, tokens: Tensor, rows: Optional[Tensor]) -> Tensor:
        tokens = tokens if rows is None else tokens.index_select(0, rows)
        return tokens.unflatten(2, (self.num_heads, -1)).transpose(1, 2)


class TwoWayLayer(nn.Module):
    """Tokens attend to one another and to the image, and then the image to the tokens; post-norm.

    Args:
        channels (int): Width of tokens and image.
        num_heads (int): Attention heads.
        feedforward_channels (int): Width inside the tokens' feedforward.
        downsample (int): Of the attention between tokens and image, see :class:`TwoWayAttention`.
        first (bool): Whether it is the first layer, whose self-attention sees no positions and *replaces* the tokens.
    """

    def __init__(self, *, channels: int, num_heads: int, feedforward_channels: int, downsample: int,
                 first: bool) -> None:
        super().__init__()
        self.first = first
        self.self_attention = TwoWayAttention(channels, num_heads)
        self.self_attention_norm = nn.LayerNorm(channels)
        self.to_image = TwoWayAttention(channels, num_heads, downsample)
        self.to_image_norm = nn.LayerNorm(channels)
        self.feedforward = nn.Sequential(
            nn.Linear(channels, feedforward_channels), nn.ReLU(), nn.Linear(feedforward_channels, channels))
        self.feedforward_norm = nn.LayerNorm(channels)
        self.to_tokens = TwoWayAttention(channels, num_heads, downsample)
        self.to_tokens_norm = nn.LayerNorm(channels)

    def forward(self,
                tokens: Tensor,
                image: Tensor,
                token_positions: Tensor,
                image_positions: Tensor,
                rows: Optional[Tensor] = None) -> Tuple[Tensor, Tensor]:
        """Run the layer.

        Args:
            tokens (Tensor): ``(P, T, channels)``.
            image (Tensor): ``(P, N, channels)``, or ``(B, N, channels)`` with ``rows``.
            token_positions (Tensor): ``(P, T, channels)``.
            image_positions (Tensor): ``(N, channels)``.
            rows (Tensor, optional): ``(P,)`` int64, the row of ``image`` for each of the P. Default: None.

        Returns:
            tuple[Tensor, Tensor]: Tokens ``(P, T, channels)`` and image ``(P, N, channels)``.
        """
        if self.first:
            tokens = self.self_attention(tokens, tokens, tokens)
        else:
            placed_tokens = tokens + token_positions
            tokens = tokens + self.self_attention(placed_tokens, placed_tokens, tokens)
        tokens = self.self_attention_norm(tokens)
        placed_image = image + image_positions
        tokens = self.to_image_norm(
            tokens + self.to_image(tokens + token_positions, placed_image, image, key_rows=rows))
        tokens = self.feedforward_norm(tokens + self.feedforward(tokens))
        # Until here an image has been one row, whatever is asked about it.
        own = image if rows is None else image.index_select(0, rows)
        image = self.to_tokens_norm(
            own + self.to_tokens(placed_image, tokens + token_positions, tokens, query_rows=rows))
        return tokens, image


class TwoWayTransformer(nn.Module):
    """The transformer of SAM's mask decoder (Kirillov et al., Segment Anything, ICCV 2023, appendix A).

    After the layers the tokens attend to the image once more. Positions of tokens are the tokens as they came.

    Args:
        channels (int): Width of tokens and image.
        num_layers (int): Layers, at least 1.
        num_heads (int): Attention heads.
        feedforward_channels (int): Width inside the tokens' feedforward.
        downsample (int): By how much attention between tokens and image is narrower than ``channels``.

    Raises:
        ValueError: If ``num_layers`` is below 1, or widths do not go together.
    """

    def __init__(self, *, channels: int, num_layers: int, num_heads: int, feedforward_channels: int,
                 downsample: int) -> None:
        super().__init__()
        if num_layers < 1:
            raise ValueError(f'num_layers of TwoWayTransformer must be at least 1, but got {num_layers}.')
        self.layers = nn.ModuleList(
            TwoWayLayer(
                channels=channels,
                num_heads=num_heads,
                feedforward_channels=feedforward_channels,
                downsample=downsample,
                first=number == 0) for number in range(num_layers))
        self.last_to_image = TwoWayAttention(channels, num_heads, downsample)
        self.last_norm = nn.LayerNorm(channels)

    def forward(self, tokens: Tensor, image: Tensor, image_positions: Tensor, rows: Tensor) -> Tuple[Tensor, Tensor]:
        """Run the layers.

        Args:
            tokens (Tensor): ``(P, T, channels)``.
            image (Tensor): ``(B, N, channels)``.
            image_positions (Tensor): ``(N, channels)``.
            rows (Tensor): ``(P,)`` int64, the row of ``image`` for each of the P. Images are copied in the middle of
                the first layer, where they first see the tokens.

        Returns:
            tuple[Tensor, Tensor]: Tokens ``(P, T, channels)`` and image ``(P, N, channels)``.
        """
        token_positions, own_rows = tokens, rows
        for layer in self.layers:
            tokens, image = layer(tokens, image, token_positions, image_positions, own_rows)
            own_rows = None
        tokens = tokens + self.last_to_image(tokens + token_positions, image + image_positions, image)
        return self.last_norm(tokens), image
