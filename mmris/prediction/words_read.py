"""What a model reads of sentences."""

from copy import copy
from typing import List, NamedTuple, Sequence

from mmris.tokenizers import SentenceTokenizer


class WordsRead(NamedTuple):
    """What a model reads of a sentence.

    Attributes:
        words (str): As its tokenizer decodes them.
        tokens (int): How many they are, the first and the last one of each sentence counted.
        whole (bool): Whether that is the whole sentence, or it was cut.
    """

    words: str
    tokens: int
    whole: bool


def read_words(tokenizer: SentenceTokenizer, sentences: Sequence[str]) -> List[WordsRead]:
    """Tell what a tokenizer reads of sentences.

    Args:
        tokenizer (SentenceTokenizer): The tokenizer.
        sentences (Sequence[str]): S sentences.

    Returns:
        list[WordsRead]: Of each sentence.
    """
    rows = zip(*tokenizer(sentences))
    # A full row may be just full. With room for a token more, a sentence that was cut has a word more.
    roomier = copy(tokenizer)
    roomier.context_length = tokenizer.context_length + 1
    return [
        WordsRead(
            words=tokenizer.decode(*row),
            tokens=int(row[1].sum()),
            whole=len(tokenizer.words_of(*row)) == len(tokenizer.words_of(*longer)))
        for row, longer in zip(rows, zip(*roomier(sentences)))
    ]
