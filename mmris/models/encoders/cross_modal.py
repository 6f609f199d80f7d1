"""What lies between and behind the towers of RISCLIP: CFE and SKE, in which image and words meet."""

from typing import Tuple

import torch.nn.functional as F
from torch import Tensor, nn

from ..layers import MultiHeadAttention


class CrossModalExtraction(nn.Module):
    """Cross-modal feature extraction (RISCLIP, eqs. 1 to 3), in both directions at once.

    With t the words and v the image's tokens, brought to a shared width ::

        t_s = W_t2s t      v_s = W_v2s v
        t + W_s2t MHCA(q = t_s, k = v = v_s)
        v + W_s2v MHCA(q = v_s, k = v = t_s)

    Both directions read what comes in, not each other's result. ``W_s2t`` and ``W_s2v`` start at zero, so that a new
    module changes nothing. Shared width, heads and start are not in the paper's summary that we have: they are ours.

    Args:
        image_channels (int): Width of the image's tokens.
        word_channels (int): Width of the words.
        channels (int): The shared width, divisible by ``num_heads``. Defaults to 512.
        num_heads (int): Attention heads. Defaults to 8.

    Raises:
        ValueError: If ``channels`` is not divisible by ``num_heads``.
    """

    def __init__(self, *, image_channels: int, word_channels: int, channels: int = 512, num_heads: int = 8) -> None:
        super().__init__()
        self.image_to_shared = nn.Linear(image_channels, channels)
        self.words_to_shared = nn.Linear(word_channels, channels)
        self.image_attention = MultiHeadAttention(channels, num_heads)
        self.word_attention = MultiHeadAttention(channels, num_heads)
        self.shared_to_image = nn.Linear(channels, image_channels)
        self.shared_to_words = nn.Linear(channels, word_channels)
        for last in (self.shared_to_image, self.shared_to_words):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(self, image: Tensor, words: Tensor, image_mask: Tensor, token_mask: Tensor) -> Tuple[Tensor, Tensor]:
        """Exchange.

        Args:
            image (Tensor): ``(P, T, image_channels)``.
            words (Tensor): ``(P, L, word_channels)``.
            image_mask (Tensor): ``(P, T)`` bool, true on tokens that hold some image.
            token_mask (Tensor): ``(P, L)`` bool, true on real tokens.

        Returns:
            tuple[Tensor, Tensor]: Image and words in their shapes.
        """
        shared_image, shared_words = self.image_to_shared(image), self.words_to_shared(words)
        from_words = self.image_attention(shared_image, token_mask, shared_words)
        from_image = self.word_attention(shared_words, image_mask, shared_image)
        return image + self.shared_to_image(from_words), words + self.shared_to_words(from_image)


class SharedSpaceExploitation(nn.Module):
    """Shared-space knowledge exploitation (RISCLIP): image and words refine each other in CLIP's joint space.

    Pre-norm and residual, with weights of each modality's own: cross-attention, in which each asks the other and both
    read what comes in; self-attention; an MLP. All three start at zero, so that a new module leaves the joint space as
    it is. The paper's summary that we have names none of these parts: it says only that image and words condition each
    other, between and within modalities, in the joint space. All else is a reconstruction.

    Args:
        channels (int): Width of the joint space, divisible by ``num_heads``.
        num_heads (int): Attention heads. Defaults to 8.
        mlp_ratio (int): Hidden width of the MLPs to ``channels``. Defaults to 4.

    Raises:
        ValueError: If ``channels`` is not divisible by ``num_heads``.
    """

    def __init__(self, *, channels: int, num_heads: int = 8, mlp_ratio: int = 4) -> None:
        super().__init__()
        self.image = _Refinement(channels, num_heads, mlp_ratio)
        self.words = _Refinement(channels, num_heads, mlp_ratio)

    def forward(self, image: Tensor, words: Tensor, image_mask: Tensor, token_mask: Tensor) -> Tuple[Tensor, Tensor]:
        """Refine.

        Args:
            image (Tensor): ``(P, T, channels)``.
            words (Tensor): ``(P, L, channels)``.
            image_mask (Tensor): ``(P, T)`` bool, true on tokens that hold some image.
            token_mask (Tensor): ``(P, L)`` bool, true on real tokens.

        Returns:
            tuple[Tensor, Tensor]: Image and words in their shapes. What padding becomes means nothing.
        """
        normed_image, normed_words = self.image.cross_norm(image), self.words.cross_norm(words)
        image = image + self.image.cross_attention(normed_image, token_mask, normed_words)
        words = words + self.words.cross_attention(normed_words, image_mask, normed_image)
        return self.image(image, image_mask), self.words(words, token_mask)


class _Refinement(nn.Module):
    """One modality's half: its cross-attention, which the whole calls, then self-attention and MLP."""

    def __init__(self, channels: int, num_heads: int, mlp_ratio: int) -> None:
        super().__init__()
        self.cross_norm = nn.LayerNorm(channels)
        self.cross_attention = MultiHeadAttention(channels, num_heads)
        self.self_norm = nn.LayerNorm(channels)
        self.self_attention = MultiHeadAttention(channels, num_heads)
        self.mlp_norm = nn.LayerNorm(channels)
        self.mlp_in = nn.Linear(channels, mlp_ratio * channels)
        self.mlp_out = nn.Linear(mlp_ratio * channels, channels)
        for last in (self.cross_attention.out, self.self_attention.out, self.mlp_out):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        tokens = tokens + self.self_attention(self.self_norm(tokens), mask)
        return tokens + self.mlp_out(F.gelu(self.mlp_in(self.mlp_norm(tokens))))
