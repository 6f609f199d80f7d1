"""A tokenizer of whole words."""

import re
from collections import Counter
from pathlib import Path
from typing import List, Union

from .common import SentenceTokenizer
from .vocabulary import Vocabulary

# Letters and digits together, any other mark by itself.
_WORD = re.compile(r'\w+|[^\w\s]')
_VOCABULARIES = Path(__file__).parents[1] / 'datasets' / 'vocabularies'


def find_words(vocabulary: Union[str, Path]) -> Path:
    """Find the file that ``vocabulary`` of a :class:`WordTokenizer` means: one of the package's by its name, or any.

    Args:
        vocabulary (str or Path): The name, or the file.

    Returns:
        Path: The file.

    Raises:
        FileNotFoundError: If there is neither a vocabulary of that name nor such a file.
    """
    shipped = {path.stem: path for path in _VOCABULARIES.glob('*.txt')}
    path = shipped.get(str(vocabulary), Path(vocabulary))
    if not path.is_file():
        names = ', '.join(map(repr, sorted(shipped)))
        raise FileNotFoundError(f'{path}, the vocabulary of WordTokenizer, is neither a file nor one of the '
                                f'package\'s vocabularies ({names}). Set `vocabulary` of the tokenizer.')
    return path


class WordTokenizer(SentenceTokenizer):
    """Whole words of a small vocabulary (lower case): what a model needs that is trained on few words, from scratch.

    A word has the number of its line in the vocabulary. A word that the vocabulary lacks is [UNK]. Sentences are taken
    as plain text: none can write a special token.

    Args:
        context_length (int): Tokens of a sentence, [BEGIN] and [END] counted: longer ones are cut so that [END] is
            last, shorter ones padded with [PAD].
        vocabulary (str or Path): Name of a vocabulary of the package (``'shaperef'``), or a text file with a word a
            line, in lower case, whose first four lines are [PAD], [UNK], [BEGIN] and [END].
        pad_to_longest (bool): Pad to the longest of the sentences that are tokenised together, instead of to
            ``context_length``. Default: False.

    Raises:
        ValueError: If ``context_length`` has no room for [BEGIN] and [END].
        FileNotFoundError: If there is neither a vocabulary of that name nor such a file.
        ValueError: If the file is no text, does not begin with the four special tokens, or has a word that no sentence
            can have (twice, in upper case, or with a space).
    """

    SPECIAL = ('[PAD]', '[UNK]', '[BEGIN]', '[END]')
    PADDING, UNKNOWN, BEGIN, END = range(4)
    _begin, _end, _padding = BEGIN, END, PADDING

    def __init__(self, *, context_length: int, vocabulary: Union[str, Path], pad_to_longest: bool = False) -> None:
        super().__init__(context_length=context_length, pad_to_longest=pad_to_longest, ends='[BEGIN] and [END]')
        self.vocabulary_file = find_words(vocabulary)
        self._words = self._read(self.vocabulary_file)
        self._numbers = {word: number for number, word in enumerate(self._words)}

    @property
    def vocabulary(self) -> Vocabulary:
        return Vocabulary(size=len(self._words), special=(self.PADDING, self.UNKNOWN, self.BEGIN, self.END))

    def _encode(self, sentence: str) -> List[int]:
        return [self._numbers.get(word, self.UNKNOWN) for word in _WORD.findall(sentence.lower())]

    def _decode(self, words: List[int]) -> str:
        return ' '.join(self._words[number] for number in words)

    def _read(self, path: Path) -> List[str]:
        try:
            words = path.read_text(encoding='utf-8-sig').split('\n')
        except UnicodeDecodeError as error:
            raise ValueError(f'{path} is not a vocabulary of words: it is no text in UTF-8.') from error
        while words and not words[-1]:
            del words[-1]
        if tuple(words[:len(self.SPECIAL)]) != self.SPECIAL:
            raise ValueError(f'{path} is not a vocabulary of words: its first lines are not {", ".join(self.SPECIAL)}.')
        wrong = next((word for word in words[len(self.SPECIAL):] if _WORD.findall(word.lower()) != [word]), None)
        if wrong is not None:
            raise ValueError(f'{path} has the line {wrong!r}: write one word a line, in lower case.')
        if len(set(words)) < len(words):
            twice = next(word for word, count in Counter(words).items() if count > 1)
            raise ValueError(f'{path} has the word {twice!r} more than once.')
        return words
