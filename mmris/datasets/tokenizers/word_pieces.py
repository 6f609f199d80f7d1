"""BERT's tokenizer."""

import re
from collections import Counter
from pathlib import Path
from typing import Dict, List, Sequence, Tuple, Union

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from torch import Tensor

from mmris.registry import TRANSFORMS
from mmris.zoo import find_vocabulary

from .common import check_length, pad, prepare

# In a vocabulary of words in lower case there is none.
UPPER_CASE = re.compile('[A-Z]')


@TRANSFORMS.register_module()
class WordPieceTokenizer:
    """BERT's word pieces (lower case, without accents), by the tokenizers library.

    A piece has the number of its line in the vocabulary. Sentences are taken as plain text: none can write a special
    token.

    Args:
        context_length (int): Tokens of a sentence, [CLS] and [SEP] counted: longer ones are cut so that [SEP] is
            last, shorter ones padded with [PAD].
        vocabulary (str or Path): The file ``vocab.txt`` of bert-base-uncased, a piece a line (docs/data.md),
            or a name of the zoo whose row has it, such as ``'vilt-b-32'``.

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

    def __init__(self, *, context_length: int, vocabulary: Union[str, Path]) -> None:
        check_length(context_length, '[CLS] and [SEP]')
        self.context_length = context_length
        numbers = self._read(find_vocabulary(vocabulary))
        self._begin, self._end, self._padding = (numbers[piece] for piece in (self.BEGIN, self.END, self.PADDING))
        self._pieces = Tokenizer(models.WordPiece(numbers, unk_token=self.UNKNOWN))
        self._pieces.normalizer = normalizers.BertNormalizer()
        self._pieces.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        self._pieces.decoder = decoders.WordPiece()

    def __call__(self, sentences: Sequence[str]) -> Tuple[Tensor, Tensor]:
        """Tokenise S sentences; an empty one is [CLS][SEP].

        Returns:
            tuple[Tensor, Tensor]: ids ``(S, context_length)`` int64, and mask ``(S, context_length)`` bool, true on
            real tokens.
        """
        rows = []
        for sentence in sentences:
            # One by one: the library starts threads for a list.
            words = self._pieces.encode(prepare(sentence)).ids
            rows.append([self._begin, *words[:self.context_length - 2], self._end])
        return pad(rows, self.context_length, padding=self._padding)

    def decode(self, ids: Tensor, mask: Tensor) -> str:
        """The words of one tokenised sentence, ``(context_length,)`` ids and mask, as the model sees them."""
        return self._pieces.decode(ids[mask].tolist()[1:-1])

    def _read(self, path: Path) -> Dict[str, int]:
        """The number of each piece."""
        if not path.is_file():
            raise FileNotFoundError(
                f'{path}, the vocabulary vocab.txt that BERT takes its words from, is missing. '
                f'https://huggingface.co/google-bert/bert-base-uncased has it; put it there, or set `vocabulary` of '
                f'the tokenizer to where it lies. Without ViLT\'s weights another tokenizer does as well: '
                f'dict(type=\'CLIPTokenizer\', context_length={self.context_length}), with '
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
