"""Layers of a multiway transformer: one attention over both modalities, and all else of each modality's own."""

from typing import List, Optional, Tuple

import torch
import torch.nn.functional as F
from mmcv.cnn.bricks import DropPath
from torch import Tensor, nn


class ModalityExpert(nn.Module):
    """What one modality has of its own in a layer: its projections around the attention, norms and feedforward.

    Args:
        channels (int): Width of a token.
        heads (int): Attention heads.
        feedforward_channels (int): Width inside the feedforward.
    """

    def __init__(self, *, channels: int, heads: int, feedforward_channels: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(channels)
        self.query = nn.Linear(channels, channels)
        self.key = nn.Linear(channels, channels)
        self.value = nn.Linear(channels, channels)
        self.inner_norm = nn.LayerNorm(channels)
        self.output = nn.Linear(channels, channels)
        self.feedforward_norm = nn.LayerNorm(channels)
        self.feedforward = nn.Sequential(
            nn.Linear(channels, feedforward_channels), nn.GELU(), nn.LayerNorm(feedforward_channels),
            nn.Linear(feedforward_channels, channels))

    def project(self, tokens: Tensor) -> List[Tensor]:
        """Queries, keys and values, each ``(P, heads, T, channels / heads)``, of ``(P, T, channels)`` tokens."""
        normed = self.attention_norm(tokens)
        return [
            projection(normed).unflatten(2, (self.heads, -1)).transpose(1, 2)
            for projection in (self.query, self.key, self.value)
        ]

    def scale(self, gain: float) -> None:
        """Scale the maps that Magneto's initialisation scales: all but queries and keys."""
        with torch.no_grad():
            for linear in (self.value, self.output, self.feedforward[0], self.feedforward[3]):
                for parameter in linear.parameters():
                    parameter.mul_(gain)


class MultiwayLayer(nn.Module):
    """A layer of a multiway transformer (Wang et al., CVPR 2023) in Magneto's form (Wang et al., ICML 2023).

    Pre-norm, with a further norm before the output map of attention and feedforward. Image and text have their own
    weights throughout; one softmax goes over the tokens of both.

    Args:
        channels (int): Width of a token.
        heads (int): Attention heads.
        feedforward_channels (int): Width inside the feedforward.
        drop_path (float): How often, in training, a residual branch is dropped, for a sample as a whole.
    """

    def __init__(self, *, channels: int, heads: int, feedforward_channels: int, drop_path: float) -> None:
        super().__init__()
        sizes = dict(channels=channels, heads=heads, feedforward_channels=feedforward_channels)
        self.image = ModalityExpert(**sizes)
        self.text = ModalityExpert(**sizes)
        self.drop_path = DropPath(drop_path)

    def forward(self, image: Tensor, text: Tensor, key_mask: Optional[Tensor]) -> Tuple[Tensor, Tensor]:
        """Run the layer.

        Args:
            image (Tensor): ``(P, 1 + N, channels)``, class token and patches.
            text (Tensor): ``(P, L, channels)``.
            key_mask (Tensor, optional): ``(P, 1, 1, 1 + N + L)`` bool, true on tokens that others may look at. None
                for all.

        Returns:
            tuple[Tensor, Tensor]: Image and text.
        """
        query, key, value = self._project(image, text)
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=key_mask).transpose(1, 2).flatten(2)
        at_image, at_text = attended.split((image.size(1), text.size(1)), dim=1)
        image, text = self._add(image, text, self.image.output(self.image.inner_norm(at_image)),
                                self.text.output(self.text.inner_norm(at_text)))
        return self._add(image, text, self.image.feedforward(self.image.feedforward_norm(image)),
                         self.text.feedforward(self.text.feedforward_norm(text)))

    def attention_weights(self, image: Tensor, text: Tensor, key_mask: Optional[Tensor]) -> Tensor:
        """How much each token takes from where, for the same inputs as ``forward``.

        Returns:
            Tensor: ``(P, heads, 1 + N + L, 1 + N + L)``, each row of which sums to 1, with zeros on padding.
        """
        query, key, _ = self._project(image, text)
        logits = query @ key.transpose(-2, -1) * query.size(-1)**-0.5
        if key_mask is not None:
            logits = logits.masked_fill(~key_mask, float('-inf'))
        return logits.softmax(dim=-1)

    def _project(self, image: Tensor, text: Tensor) -> List[Tensor]:
        """Queries, keys and values, each ``(P, heads, 1 + N + L, channels / heads)``."""
        pairs = zip(self.image.project(image), self.text.project(text))
        return [torch.cat(pair, dim=2) for pair in pairs]

    def _add(self, image: Tensor, text: Tensor, to_image: Tensor, to_text: Tensor) -> Tuple[Tensor, Tensor]:
        if self.training and self.drop_path.drop_prob > 0:
            # One draw a sample: both modalities are one sequence.
            kept = self.drop_path(to_image.new_ones(to_image.size(0), 1, 1))
            to_image, to_text = kept * to_image, kept * to_text
        return image + to_image, text + to_text
