"""Sentences to token ids."""

from typing import Sequence, Tuple

import torch
from open_clip.tokenizer import SimpleTokenizer
from torch import Tensor

from mmris.registry import TRANSFORMS


@TRANSFORMS.register_module()
class CLIPTokenizer:
    """CLIP's byte pair encoding (lower case, vocabulary of 49,408), by open_clip.

    Args:
        context_length (int): Tokens of a sentence, [SOS] and [EOS] counted: longer ones are cut so that [EOS] is
            last, shorter ones padded with zeros.

    Raises:
        ValueError: If ``context_length`` has no room for [SOS] and [EOS].
    """

    def __init__(self, *, context_length: int) -> None:
        if context_length < 2:
            raise ValueError(f'context_length must be at least 2, for [SOS] and [EOS], but got {context_length}.')
        self.context_length = context_length
        self._bpe = SimpleTokenizer()

    def __call__(self, sentences: Sequence[str]) -> Tuple[Tensor, Tensor]:
        """Tokenise S sentences; an empty one is [SOS][EOS].

        Returns:
            tuple[Tensor, Tensor]: ids ``(S, context_length)`` int64, and mask ``(S, context_length)`` bool, true on
            real tokens. The mask is needed: id 0 is both padding and the token "!".
        """
        ids = torch.zeros(len(sentences), self.context_length, dtype=torch.int64)
        mask = torch.zeros(len(sentences), self.context_length, dtype=torch.bool)
        for row, sentence in enumerate(sentences):
            words = self._bpe.encode(sentence)[:self.context_length - 2]
            tokens = [self._bpe.sot_token_id, *words, self._bpe.eot_token_id]
            ids[row, :len(tokens)] = torch.tensor(tokens)
            mask[row, :len(tokens)] = True
        return ids, mask

    def decode(self, ids: Tensor, mask: Tensor) -> str:
        """The words of one tokenised sentence, ``(context_length,)`` ids and mask, as the model sees them."""
        return self._bpe.decode(ids[mask].tolist()[1:-1]).strip()
