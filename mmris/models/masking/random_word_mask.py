"""Masks of sentences that know nothing of the image."""

from dataclasses import replace
from typing import Optional

import torch
from torch import Tensor, nn

from mmris.registry import MODELS
from mmris.structures import ExpressionBatch, MaskedWords
from mmris.tokenizers import Vocabulary


@MODELS.register_module()
class RandomWordMask(nn.Module):
    """Masks words of sentences as BERT's pretraining does (Lee et al., MaskRIS, 2024).

    Each token is chosen with the same probability, but for special tokens and padding. Of the chosen ones a share
    becomes [MASK], a share becomes any token of the vocabulary, special and unused ones among them, and the rest stays
    as it is. Which token is [MASK], and which are special, the tokenizer says through the batch.

    Args:
        ratio (float): Probability that a token is chosen, in [0, 1]. Default: 0.15.
        mask_share (float): Share of the chosen tokens that becomes [MASK], in [0, 1]. Default: 0.8.
        random_share (float): Share that becomes a random token, in [0, 1]. Default: 0.1.
        vocabulary (dict, optional): ``size``, ``special`` and, where there is one, ``mask`` of a
            :class:`~mmris.tokenizers.Vocabulary`, instead of what the tokenizer says. Default: None.

    Raises:
        ValueError: If a share is out of its range, or the two together are above 1.
        ValueError: If ``vocabulary`` lacks a number, has something else, or an id that is not below ``size``.
    """

    def __init__(self,
                 *,
                 ratio: float = 0.15,
                 mask_share: float = 0.8,
                 random_share: float = 0.1,
                 vocabulary: Optional[dict] = None) -> None:
        super().__init__()
        for name, value in dict(ratio=ratio, mask_share=mask_share, random_share=random_share).items():
            if not 0 <= value <= 1:
                raise ValueError(f'{name} of RandomWordMask is a share in [0, 1], but got {value}.')
        if mask_share + random_share > 1 + 1e-9:
            raise ValueError(f'mask_share and random_share of RandomWordMask are shares of the chosen words, so at '
                             f'most 1 together, but got {mask_share} and {random_share}.')
        self.ratio = ratio
        self.mask_share = mask_share
        self.random_share = random_share
        self.vocabulary = None if vocabulary is None else _read_vocabulary(vocabulary)

    def forward(self, expressions: ExpressionBatch, has_vector: bool = False) -> MaskedWords:
        """Mask words of P sentences.

        Args:
            expressions (ExpressionBatch): The sentences.
            has_vector (bool): Whether a learned vector stands for [MASK]. The ids of words that it is to replace then
                stay as they are, and are marked. Default: False.

        Returns:
            MaskedWords: The masked sentences. Padding, special tokens and the token mask stay.

        Raises:
            ValueError: If the vocabulary is unknown, or has no [MASK] where one is needed.
        """
        vocabulary = self._known(expressions)
        if vocabulary.mask is None and not has_vector and self.mask_share > 0:
            raise ValueError(
                'RandomWordMask is to put [MASK] in place of words, but the tokenizer has no such token. In a branch '
                'of model.distillation, set learned_mask=True: a learned vector stands for it. In '
                'model.data_preprocessor.masking.words, set mask_share=0 and random_share=1: words become random ones.')
        ids = expressions.token_ids
        words = expressions.token_mask.clone()
        for special in vocabulary.special:
            words &= ids != special
        chosen = words & (torch.rand(ids.shape, device=ids.device) < self.ratio)
        kind = torch.rand(ids.shape, device=ids.device)
        becomes_random = chosen & (kind >= self.mask_share) & (kind < self.mask_share + self.random_share)
        masked = torch.where(becomes_random, torch.randint(vocabulary.size, ids.shape, device=ids.device), ids)
        hidden = chosen & (kind < self.mask_share)
        if not has_vector and vocabulary.mask is not None:
            masked, hidden = masked.masked_fill(hidden, vocabulary.mask), torch.zeros_like(hidden)
        return MaskedWords(replace(expressions, token_ids=masked), words=words, chosen=chosen, hidden=hidden)

    def _known(self, expressions: ExpressionBatch) -> Vocabulary:
        vocabulary = self.vocabulary or expressions.vocabulary
        if vocabulary is None:
            raise ValueError(
                'RandomWordMask must know the vocabulary, but the tokenizer of the training pipeline has no '
                '`vocabulary` that says it: add it to the tokenizer, as those of mmris have it, or set '
                'vocabulary=dict(size=..., special=(...), mask=...) of RandomWordMask.')
        return vocabulary


def _read_vocabulary(given: dict) -> Vocabulary:
    known = {'size', 'special', 'mask'}
    if not {'size', 'special'} <= set(given) <= known:
        raise ValueError(f'vocabulary of RandomWordMask has size, special and, where there is one, mask, but got '
                         f'{", ".join(given) or "nothing"}.')
    ids = [*given['special'], *([] if given.get('mask') is None else [given['mask']])]
    wrong = [one for one in ids if not 0 <= one < given['size']]
    if wrong:
        raise ValueError(f'vocabulary of RandomWordMask has {given["size"]} ids, 0 to {given["size"] - 1}, but names '
                         f'{wrong[0]} as a special one.')
    return Vocabulary(size=given['size'], special=tuple(given['special']), mask=given.get('mask'))


def masked_share(masked: Tensor, candidates: Tensor) -> Tensor:
    """The share of the candidates that is masked: a float32 scalar, 0 if there are none.

    Args:
        masked (Tensor): bool.
        candidates (Tensor): bool, of the same shape.
    """
    return (masked & candidates).sum() / candidates.sum().clamp(min=1)
