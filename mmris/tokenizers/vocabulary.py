"""What is known of the ids that a tokenizer gives."""

from dataclasses import dataclass
from typing import Optional, Tuple


@dataclass(frozen=True)
class Vocabulary:
    """Which ids a tokenizer can give, and which of them are not words.

    Attributes:
        size (int): The ids are 0 to ``size - 1``.
        special (tuple[int]): Ids that never stand for a word: begin, end, unknown words and, where they have an id of
            their own, padding and [MASK].
        mask (int, optional): The id of [MASK], which stands for a hidden word. None: the tokenizer has no such token.
    """

    size: int
    special: Tuple[int, ...]
    mask: Optional[int] = None
