"""Tokenizers whose ids are tensors."""

from typing import Sequence, Tuple

import torch
from torch import Tensor

from mmris import tokenizers
from mmris.registry import TRANSFORMS


class TensorTokenizer:
    """Gives the ids of another tokenizer as tensors. A class is derived from this one and then from the other."""

    def __call__(self, sentences: Sequence[str]) -> Tuple[Tensor, Tensor]:
        """Tokenise S sentences: ids ``(S, L)`` int64, and mask ``(S, L)`` bool, true on real tokens."""
        ids, mask = super().__call__(sentences)
        return torch.from_numpy(ids), torch.from_numpy(mask)


@TRANSFORMS.register_module()
class WordTokenizer(TensorTokenizer, tokenizers.WordTokenizer):
    __doc__ = tokenizers.WordTokenizer.__doc__


@TRANSFORMS.register_module()
class WordPieceTokenizer(TensorTokenizer, tokenizers.WordPieceTokenizer):
    __doc__ = tokenizers.WordPieceTokenizer.__doc__


@TRANSFORMS.register_module()
class BEiT3Tokenizer(TensorTokenizer, tokenizers.BEiT3Tokenizer):
    __doc__ = tokenizers.BEiT3Tokenizer.__doc__
