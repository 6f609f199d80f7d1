"""What tokenizers share. The ids are NumPy arrays: no torch is needed."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import List, Sequence, Tuple

import numpy as np

from mmris.utils.text import to_well_formed

from .vocabulary import Vocabulary

# Of a sentence; many times what a usual context has room for. CLIP takes the square of a word's length in time.
MOST_CHARACTERS = 5000
# A long context has room for more. No piece of a published vocabulary has more characters.
CHARACTERS_PER_TOKEN = 16


class SentenceTokenizer(ABC):
    """Sentences to rows of token ids: a begin token, the words' tokens, an end token, then padding.

    A subclass sets ``_begin``, ``_end`` and ``_padding``, the ids of these three, and turns words into ids and back.

    Attributes:
        vocabulary_file (Path): The file that its words are from.

    Args:
        context_length (int): The most tokens of a sentence, the begin and the end token included. Longer sentences
            are cut.
        pad_to_longest (bool): Pad to the longest of the sentences given, instead of to ``context_length``.
        ends (str): The names of the begin and the end token, for the message.
        keep_end (bool): Whether the end token is last in sentences that are cut, too. Default: True.

    Raises:
        ValueError: If ``context_length`` has no room for the begin and the end token.
    """

    vocabulary_file: Path
    _begin: int
    _end: int
    _padding: int

    def __init__(self, *, context_length: int, pad_to_longest: bool, ends: str, keep_end: bool = True) -> None:
        if context_length < 2:
            raise ValueError(f'context_length must be at least 2, for {ends}, but got {context_length}.')
        self.context_length = context_length
        self.pad_to_longest = pad_to_longest
        self.keep_end = keep_end

    def __call__(self, sentences: Sequence[str]) -> Tuple[np.ndarray, np.ndarray]:
        """Tokenise S sentences. An empty one is its begin and its end token.

        Returns:
            tuple[ndarray, ndarray]: ids ``(S, L)`` int64, and mask ``(S, L)`` bool, true on real tokens. L is
            ``context_length``, or with ``pad_to_longest`` the tokens of the longest sentence, 2 if there is none. The
            mask is needed: an id that pads may also be that of a word.
        """
        most = max(MOST_CHARACTERS, CHARACTERS_PER_TOKEN * self.context_length)
        rows = []
        for sentence in sentences:
            # One by one: libraries start threads for a list.
            words = self._encode(to_well_formed(sentence[:most]))
            if self.keep_end:
                words = words[:self.context_length - 2]
            rows.append([self._begin, *words, self._end][:self.context_length])
        length = max(map(len, rows), default=2) if self.pad_to_longest else self.context_length
        return _pad(rows, length, self._padding)

    def decode(self, ids: np.ndarray, mask: np.ndarray) -> str:
        """The words of one tokenised sentence, ``(L,)`` ids and mask, as the model sees them."""
        return self._decode(self.words_of(ids, mask))

    def decode_token(self, number: int) -> str:
        """The text of one token: a word, or a part of one."""
        return self._decode([number])

    def words_of(self, ids: np.ndarray, mask: np.ndarray) -> List[int]:
        """The ids of the words of one tokenised sentence, ``(L,)`` ids and mask, without begin and end."""
        words = ids[mask].tolist()[1:]
        # A sentence that was cut may lack the end token.
        return words[:-1] if words and words[-1] == self._end else words

    @property
    @abstractmethod
    def vocabulary(self) -> Vocabulary:
        """Vocabulary: The ids that there are, for what masks words."""

    @property
    def _lengths(self) -> str:
        """The arguments that give another tokenizer the same lengths, as a config writes them."""
        return f'context_length={self.context_length}' + (', pad_to_longest=True' if self.pad_to_longest else '')

    @abstractmethod
    def _encode(self, sentence: str) -> List[int]:
        """The ids of a sentence's words, without begin and end."""

    @abstractmethod
    def _decode(self, words: List[int]) -> str:
        """The text of such ids."""


def _pad(rows: Sequence[List[int]], length: int, padding: int) -> Tuple[np.ndarray, np.ndarray]:
    """Ids ``(S, length)`` and the mask of those that are not padding."""
    ids = np.full((len(rows), length), padding, dtype=np.int64)
    mask = np.zeros((len(rows), length), dtype=np.bool_)
    for row, tokens in enumerate(rows):
        ids[row, :len(tokens)] = tokens
        mask[row, :len(tokens)] = True
    return ids, mask
