"""What tokenizers share."""

from typing import List, Sequence, Tuple

import numpy as np
import torch
from torch import Tensor

from mmris.utils.text import to_well_formed

# Of a sentence; many times what any context has room for. CLIP takes the square of a word's length in time.
MOST_CHARACTERS = 5000


def prepare(sentence: str) -> str:
    """A sentence that any tokenizer takes, in bounded time."""
    return to_well_formed(sentence[:MOST_CHARACTERS])


def check_length(length: int, needed: str) -> None:
    """Check that a context has room for two tokens, which ``needed`` names."""
    if length < 2:
        raise ValueError(f'context_length must be at least 2, for {needed}, but got {length}.')


def pad(rows: Sequence[List[int]], length: int, padding: int) -> Tuple[Tensor, Tensor]:
    """Ids ``(S, length)`` and the mask of those that are not padding."""
    # Arrays are filled in a tenth of the time that tensors take.
    ids = np.full((len(rows), length), padding, dtype=np.int64)
    mask = np.zeros((len(rows), length), dtype=np.bool_)
    for row, tokens in enumerate(rows):
        ids[row, :len(tokens)] = tokens
        mask[row, :len(tokens)] = True
    return torch.from_numpy(ids), torch.from_numpy(mask)
