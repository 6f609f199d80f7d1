"""CLIP's text tower."""

import torch
from open_clip.transformer import TextTransformer
from torch import Tensor

from mmris.structures import ExpressionBatch, TextEmbeddings, TextFeatures

from ...layers import check_token_ids
from .clip_transformer import CLIPTransformer


class CLIPTextTower(CLIPTransformer):
    """CLIP's causal text transformer (Radford et al., ICML 2021) at any length up to its positions.

    Words are the final LayerNorm's output, not projected; ``text_projection`` takes them to the joint space, where the
    end token is the sentence.

    Args:
        text (TextTransformer): open_clip's tower, plain: causal, with a linear projection.
        quick_gelu (bool): Whether its blocks use QuickGELU.
        activation_checkpointing (bool): Compute the blocks' activations again in the backward pass.

    Attributes:
        word_channels (int): Width of the words.
    """

    def __init__(self, text: TextTransformer, *, quick_gelu: bool, activation_checkpointing: bool) -> None:
        super().__init__(text, quick_gelu=quick_gelu, activation_checkpointing=activation_checkpointing)
        self.word_channels = text.width

    def embed(self, expressions: ExpressionBatch) -> TextEmbeddings:
        """Embed P expressions.

        Raises:
            ValueError: See :func:`~mmris.models.layers.token_ids.check_token_ids`.
        """
        check_token_ids(
            expressions.token_ids,
            owner='text tower',
            positions=self.clip.positional_embedding.size(0),
            vocabulary=self.clip.token_embedding.num_embeddings,
            vocabulary_option='vocab_size in text_cfg of the architecture')
        return TextEmbeddings(
            words=self.clip.token_embedding(expressions.token_ids), token_mask=expressions.token_mask)

    def encode(self, embeddings: TextEmbeddings) -> TextFeatures:
        """Encode P expressions."""
        words = self.add_positions(embeddings)
        words = self.clip.transformer(words, attn_mask=self.causal_mask(words.size(1)))
        return self.project(words, embeddings.token_mask)

    def add_positions(self, embeddings: TextEmbeddings) -> Tensor:
        """Words at their positions, ``(P, L, C)``: what the first block takes."""
        return embeddings.words + self.clip.positional_embedding[:embeddings.words.size(1)]

    def causal_mask(self, length: int) -> Tensor:
        """What is added to the attention of so many words, ``(L, L)``: each sees itself and those before it."""
        return self.clip.attn_mask[:length, :length]

    def project(self, words: Tensor, token_mask: Tensor) -> TextFeatures:
        """What the last block gives, ``(P, L, C)``, as features: also in the joint space."""
        words = self.clip.ln_final(words)
        joint = words @ self.clip.text_projection
        return TextFeatures(
            words=words, words_joint=joint, sentence=at_end_token(joint, token_mask), token_mask=token_mask)


def at_end_token(words: Tensor, token_mask: Tensor) -> Tensor:
    """The vector of each sentence's last real token.

    Args:
        words (Tensor): ``(P, L, C)``.
        token_mask (Tensor): ``(P, L)`` bool, true on real tokens, which come first.

    Returns:
        Tensor: ``(P, C)``.
    """
    end = token_mask.sum(dim=1) - 1
    return words[torch.arange(end.size(0), device=end.device), end]
