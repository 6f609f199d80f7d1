"""The adapters of DETRIS: densely connected convolutions, and words that patches look at."""

from typing import Tuple

import torch
from torch import Tensor, nn

from .adapter import Bottleneck
from .conv import conv_bn_relu
from .fused_attention import FusedMultiheadAttention

# Of what an adapter computes, the share that is added to the output of an MLP.
_SHARE = 0.2


class DenseBlock(nn.Module):
    """Convolutions of three sizes, each of which reads all that the smaller ones gave (DETRIS, AAAI 2025).

    With CBR(k) a convolution of size ``k`` with bias, BatchNorm and ReLU, and a the width::

        y1 = CBR1(x)                          a / 2
        y2 = CBR3(CBR1([x, y1]))              a / 16, then a / 4
        y3 = CBR5(CBR1([x, y1, y2]))          a / 16, then a / 4
        output = [y1, y2, y3]

    Args:
        channels (int): Width a, a multiple of 16.
        dimensions (int): 2 for maps, 1 for sequences.

    Raises:
        ValueError: If ``channels`` is no multiple of 16.
    """

    def __init__(self, channels: int, dimensions: int) -> None:
        super().__init__()
        if channels < 1 or channels % 16:
            raise ValueError(f'channels of a DenseBlock must be a multiple of 16, but got {channels}.')
        half, quarter, few = channels // 2, channels // 4, channels // 16
        options = dict(dimensions=dimensions, bias=True, eps=1e-3)
        self.one = conv_bn_relu(channels, half, 1, **options)
        self.three = nn.Sequential(
            conv_bn_relu(channels + half, few, 1, **options), conv_bn_relu(few, quarter, 3, **options))
        self.five = nn.Sequential(
            conv_bn_relu(channels + half + quarter, few, 1, **options), conv_bn_relu(few, quarter, 5, **options))
        for module in self.modules():
            if isinstance(module, (nn.Conv1d, nn.Conv2d)):
                nn.init.kaiming_normal_(module.weight, mode='fan_out', nonlinearity='relu')
                nn.init.zeros_(module.bias)

    def forward(self, features: Tensor) -> Tensor:
        """Convolve ``(M, channels, h, w)``, or ``(M, channels, L)``, to the same shape."""
        one = self.one(features)
        three = self.three(torch.cat((features, one), dim=1))
        five = self.five(torch.cat((features, one, three), dim=1))
        return torch.cat((one, three, five), dim=1)


class TextAligner(Bottleneck):
    """The text adapter of DETRIS. Its convolutions look past the causal mask, and mix padding in.

    With h the tokens between the two linear maps, all but the start token become ``dense(h)``, which keeps h; then
    ``Up(h + that)``.

    Args:
        channels (int): Width of the words.
        hidden_channels (int): Width between the linear maps, a multiple of 16.

    Raises:
        ValueError: If ``hidden_channels`` is no multiple of 16.
    """

    def __init__(self, channels: int, hidden_channels: int) -> None:
        super().__init__(channels, hidden_channels)
        self.dense = DenseBlock(hidden_channels, dimensions=1)

    def forward(self, words: Tensor) -> Tensor:
        """Compute what is added to the output of an MLP.

        Args:
            words (Tensor): ``(P, L, channels)``, before the MLP's LayerNorm; L is at least 2.

        Returns:
            Tensor: ``(P, L, channels)``.
        """
        hidden = self.narrow(words)
        dense = self.dense(hidden[:, 1:].transpose(1, 2)).transpose(1, 2)
        return _SHARE * self.up(hidden + torch.cat((hidden[:, :1], dense), dim=1))


class _LookAtWords(nn.Module):
    """Patches take from words, at a width of its own. Padding takes part: the published weights learned with it."""

    def __init__(self, channels: int, word_channels: int, shared_channels: int, num_heads: int,
                 dropout: float) -> None:
        super().__init__()
        self.patches_in = nn.Linear(channels, shared_channels)
        self.words_in = nn.Linear(word_channels, shared_channels)
        self.attention = FusedMultiheadAttention(shared_channels, num_heads, dropout=dropout)
        self.out = nn.Linear(shared_channels, channels)

    def forward(self, patches: Tensor, words: Tensor) -> Tensor:
        words = self.words_in(words)
        return self.out(self.attention(self.patches_in(patches), words, words, need_weights=False)[0])


class ImageAligner(Bottleneck):
    """The image adapter of DETRIS, its dense aligner.

    With h the tokens between the two linear maps, patches become ``attention(dense(h) + h, words)``, other tokens keep
    h; then ``Up(h + that)``.

    Args:
        channels (int): Width of the image's tokens.
        hidden_channels (int): Width between the linear maps, a multiple of 16.
        word_channels (int): Width of the words.
        shared_channels (int): Width of the attention, divisible by ``num_heads``. Default: 128.
        num_heads (int): Its heads. Default: 8.
        dropout (float): Probability in training, in its weights. Default: 0.1.

    Raises:
        ValueError: If ``hidden_channels`` is no multiple of 16.
    """

    def __init__(self,
                 channels: int,
                 hidden_channels: int,
                 *,
                 word_channels: int,
                 shared_channels: int = 128,
                 num_heads: int = 8,
                 dropout: float = 0.1) -> None:
        super().__init__(channels, hidden_channels)
        self.dense = DenseBlock(hidden_channels, dimensions=2)
        self.look_at_words = _LookAtWords(hidden_channels, word_channels, shared_channels, num_heads, dropout)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    def forward(self, tokens: Tensor, words: Tensor, grid: Tuple[int, int]) -> Tensor:
        """Compute what is added to the output of an MLP.

        Args:
            tokens (Tensor): ``(P, T, channels)``, the MLP's input: the patches, row by row, are last.
            words (Tensor): ``(P, L, word_channels)``.
            grid (tuple[int, int]): Height and width in patches.

        Returns:
            Tensor: ``(P, T, channels)``.
        """
        hidden, patches = self.narrow(tokens), grid[0] * grid[1]
        others, pixels = hidden[:, :-patches], hidden[:, -patches:].transpose(1, 2).unflatten(2, grid)
        mixed = (self.dense(pixels) + pixels).flatten(2).transpose(1, 2)
        return _SHARE * self.up(hidden + torch.cat((others, self.look_at_words(mixed, words)), dim=1))
