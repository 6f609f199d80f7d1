"""The vision-language decoder of CRIS: pixels look at one another and at the words."""

from dataclasses import replace
from typing import Optional

from mmengine.model import BaseModule
from torch import Tensor, nn

from mmris.registry import MODELS
from mmris.structures import FusedFeatures

from ..layers import FusedMultiheadAttention, check_width, sine_position_1d, sine_position_2d


class CRISDecoderLayer(nn.Module):
    """Self-attention of pixels, cross-attention to words, feed-forward; each normalised before and after.

    Args:
        channels (int): Width of the pixels.
        word_channels (int): Width of the words.
        num_heads (int): Attention heads.
        feedforward_channels (int): Hidden width of the feed-forward part.
        dropout (float): Probability, in attention weights, feed-forward part and residuals.
    """

    def __init__(self, *, channels: int, word_channels: int, num_heads: int, feedforward_channels: int,
                 dropout: float) -> None:
        super().__init__()
        self.self_attention = FusedMultiheadAttention(channels, num_heads, dropout=dropout)
        self.cross_attention = FusedMultiheadAttention(
            channels, num_heads, dropout=dropout, context_channels=word_channels)
        self.feedforward = nn.Sequential(
            nn.Linear(channels, feedforward_channels), nn.ReLU(inplace=True), nn.Dropout(dropout),
            nn.LayerNorm(feedforward_channels), nn.Linear(feedforward_channels, channels))
        self.self_norm_in = nn.LayerNorm(channels)
        self.self_norm_out = nn.LayerNorm(channels)
        self.cross_norm_in = nn.LayerNorm(channels)
        self.cross_norm_out = nn.LayerNorm(channels)
        self.feedforward_norm = nn.LayerNorm(channels)
        self.dropout = nn.Dropout(dropout)

    def forward(self, pixels: Tensor, words: Tensor, pixel_position: Tensor, word_position: Tensor,
                padding: Tensor) -> Tensor:
        """Refine pixels.

        Args:
            pixels (Tensor): ``(P, h * w, channels)``.
            words (Tensor): ``(P, L, word_channels)``.
            pixel_position (Tensor): ``(h * w, channels)``, added to queries and the pixels' keys.
            word_position (Tensor): ``(L, word_channels)``, added to the words' keys.
            padding (Tensor): ``(P, L)`` bool, true where a word is padding.

        Returns:
            Tensor: ``(P, h * w, channels)``.
        """
        normed = self.self_norm_in(pixels)
        query = normed + pixel_position
        attended, _ = self.self_attention(query, query, normed, need_weights=False)
        pixels = pixels + self.dropout(self.self_norm_out(attended))

        query = self.cross_norm_in(pixels) + pixel_position
        attended, _ = self.cross_attention(
            query, words + word_position, words, key_padding_mask=padding, need_weights=False)
        pixels = pixels + self.dropout(self.cross_norm_out(attended))

        return pixels + self.dropout(self.feedforward(self.feedforward_norm(pixels)))


@MODELS.register_module()
class CRISDecoder(BaseModule):
    """Transformer decoder whose queries are pixels (Wang et al., CRIS, CVPR 2022, section 3.3).

    Args:
        channels (int): Width of the pixels, divisible by 4 and by ``num_heads``. Defaults to 512.
        word_channels (int): Width of the words, even. Defaults to 512.
        num_layers (int): Layers. Defaults to 3.
        num_heads (int): Attention heads. Defaults to 8.
        feedforward_channels (int): Hidden width of the feed-forward parts. Defaults to 2048.
        dropout (float): Probability. Defaults to 0.1.
        init_cfg (dict, optional): MMEngine initialisation. Defaults to None.

    Raises:
        ValueError: If ``channels`` is not divisible by ``num_heads``.
    """

    def __init__(self,
                 *,
                 channels: int = 512,
                 word_channels: int = 512,
                 num_layers: int = 3,
                 num_heads: int = 8,
                 feedforward_channels: int = 2048,
                 dropout: float = 0.1,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg=init_cfg)
        if channels % num_heads:
            raise ValueError(f'channels ({channels}) of CRISDecoder must be divisible by num_heads ({num_heads}).')
        self.channels, self.word_channels = channels, word_channels
        self.layers = nn.ModuleList(
            CRISDecoderLayer(
                channels=channels,
                word_channels=word_channels,
                num_heads=num_heads,
                feedforward_channels=feedforward_channels,
                dropout=dropout) for _ in range(num_layers))
        self.norm = nn.LayerNorm(channels)

    def forward(self, fused: FusedFeatures) -> FusedFeatures:
        """Refine the pixels of ``fused``; the rest passes through.

        Raises:
            ValueError: If pixels or words have other widths than ``channels`` and ``word_channels``.
            ValueError: If the pixels' channels are not divisible by 4 or the words' are odd: positions need that.
        """
        _, channels, height, width = fused.pixels.shape
        check_width('CRISDecoder', 'channels', self.channels, of='the neck\'s pixels', found=channels)
        check_width('CRISDecoder', 'word_channels', self.word_channels, of='the words', found=fused.words.size(2))
        pixels = fused.pixels.flatten(2).transpose(1, 2)
        pixel_position = sine_position_2d(height, width, channels, like=pixels)
        word_position = sine_position_1d(fused.words.size(1), fused.words.size(2), like=fused.words)
        padding = ~fused.token_mask
        for layer in self.layers:
            pixels = layer(pixels, fused.words, pixel_position, word_position, padding)
        pixels = self.norm(pixels).transpose(1, 2).unflatten(2, (height, width))
        return replace(fused, pixels=pixels)
