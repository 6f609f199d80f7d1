"""BERT's tokenizer."""

import re
from collections import Counter
from pathlib import Path
from typing import Dict, List, Union

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

from mmris.zoo import find_vocabulary

from .common import SentenceTokenizer

# In a vocabulary of words in lower case there is none.
UPPER_CASE = re.compile('[A-Z]')


class WordPieceTokenizer(SentenceTokenizer):
    """BERT's word pieces (lower case, without accents), by the tokenizers library.

    A piece has the number of its line in the vocabulary. Sentences are taken as plain text: none can write a special
    token.

    Args:
        context_length (int): Tokens of a sentence, [CLS] and [SEP] counted: longer ones are cut, shorter ones padded
            with [PAD].
        vocabulary (str or Path): The file ``vocab.txt`` of bert-base-uncased, a piece a line (docs/data.md),
            or a name of the zoo whose row has it, such as ``'vilt-b-32'``.
        pad_to_longest (bool): Pad to the longest of the sentences that are tokenised together, instead of to
            ``context_length``. Default: False.
        keep_end (bool): Cut longer sentences so that [SEP] is last. False: they lose [SEP], and keep a piece more, as
            in the published code of LAVT. Default: True.

    Raises:
        ValueError: If ``context_length`` has no room for [CLS] and [SEP].
        FileNotFoundError: If there is no such file; the message tells where it is from, and what else would do.
        ValueError: If the file is no text, empty, lacks [PAD], [UNK], [CLS] or [SEP], or has a piece twice.
        ValueError: If it is the vocabulary of another BERT: it has pieces in upper case, or too many.
        ValueError: If it has too few pieces, since it was cut, or pieces are in other places.
    """

    BEGIN, END, PADDING, UNKNOWN = '[CLS]', '[SEP]', '[PAD]', '[UNK]'
    # Where some pieces stand in the published vocabulary.
    PLACES = {0: '[PAD]', 100: '[UNK]', 101: '[CLS]', 102: '[SEP]', 103: '[MASK]', 1996: 'the', 30521: '##～'}
    # Rows of BERT's embedding of words.
    NUMBER_OF_EMBEDDINGS = 30522

    def __init__(self,
                 *,
                 context_length: int,
                 vocabulary: Union[str, Path],
                 pad_to_longest: bool = False,
                 keep_end: bool = True) -> None:
        super().__init__(
            context_length=context_length, pad_to_longest=pad_to_longest, ends='[CLS] and [SEP]', keep_end=keep_end)
        self.vocabulary_file = find_vocabulary(vocabulary)
        numbers = self._read(self.vocabulary_file)
        self._begin, self._end, self._padding = (numbers[piece] for piece in (self.BEGIN, self.END, self.PADDING))
        self._pieces = Tokenizer(models.WordPiece(numbers, unk_token=self.UNKNOWN))
        self._pieces.normalizer = normalizers.BertNormalizer()
        self._pieces.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        self._pieces.decoder = decoders.WordPiece()

    def _encode(self, sentence: str) -> List[int]:
        return self._pieces.encode(sentence).ids

    def _decode(self, words: List[int]) -> str:
        return self._pieces.decode(words)

    def _read(self, path: Path) -> Dict[str, int]:
        """The number of each piece."""
        if not path.is_file():
            raise FileNotFoundError(
                f'{path}, the vocabulary vocab.txt that BERT takes its words from, is missing. '
                f'https://huggingface.co/google-bert/bert-base-uncased has it; put it there, or set `vocabulary` of '
                f'the tokenizer to where it lies. Without ViLT\'s weights another tokenizer does as well: '
                f'dict(type=\'CLIPTokenizer\', {self._lengths}), with '
                f'architecture=dict(vocabulary=49408) of the encoder.')
        try:
            pieces = path.read_text(encoding='utf-8-sig').rstrip('\n').split('\n')
        except UnicodeDecodeError as error:
            raise ValueError(f'{path} is not a vocabulary of word pieces: it is no text. Fetch it again.') from error
        self._check(pieces, path)
        return {piece: number for number, piece in enumerate(pieces)}

    def _check(self, pieces: List[str], path: Path) -> None:
        problem = f'{path} is not a vocabulary of word pieces'
        if pieces == ['']:
            raise ValueError(f'{problem}: it is empty. Fetch it again.')
        lacking = [piece for piece in (self.PADDING, self.UNKNOWN, self.BEGIN, self.END) if piece not in pieces]
        if lacking:
            raise ValueError(f'{problem}: none of its {len(pieces):,} lines is {" or ".join(lacking)}. It has a piece '
                             f'a line.')
        if len(set(pieces)) < len(pieces):
            twice = next(piece for piece, count in Counter(pieces).items() if count > 1)
            raise ValueError(f'{problem}: {twice!r} is in it more than once, so that the numbers of pieces are unsure. '
                             f'Fetch it again.')
        upper = next((piece for piece in pieces if not piece.startswith('[') and UPPER_CASE.search(piece)), None)
        if upper is not None:
            raise ValueError(f'{path} is the vocabulary of another BERT than bert-base-uncased: it has pieces in upper '
                             f'case, such as {upper}, and sentences are put in lower case.')
        if len(pieces) > self.NUMBER_OF_EMBEDDINGS:
            raise ValueError(f'{path} is the vocabulary of another BERT than bert-base-uncased: it has {len(pieces):,} '
                             f'pieces, and that has {self.NUMBER_OF_EMBEDDINGS:,}.')
        if len(pieces) < self.NUMBER_OF_EMBEDDINGS:
            raise ValueError(f'{path} is not the whole vocabulary of bert-base-uncased: it has {len(pieces):,} of '
                             f'{self.NUMBER_OF_EMBEDDINGS:,} pieces. Fetch it again.')
        for place, piece in self.PLACES.items():
            if pieces[place] != piece:
                raise ValueError(f'{path} is not the vocabulary of bert-base-uncased: its piece {place:,} is '
                                 f'{pieces[place]!r} instead of {piece!r}. Fetch it again.')
