"""Sentences to token ids."""

import re
from collections import Counter
from pathlib import Path
from typing import Dict, List, Sequence, Set, Tuple, Union

import numpy as np
import torch
from open_clip.tokenizer import SimpleTokenizer
from sentencepiece import SentencePieceProcessor
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from torch import Tensor

from mmris.registry import TRANSFORMS
from mmris.utils.file_content import START, name_content
from mmris.utils.text import to_well_formed

# Of a sentence; many times what any context has room for. CLIP takes the square of a word's length in time.
MOST_CHARACTERS = 5000
# Of the message that a SentencePiece model is.
_NORMALIZER_FIELD = 3
# In a vocabulary of words in lower case there is none.
UPPER_CASE = re.compile('[A-Z]')
# Of WordTokenizer: letters and digits together, any other mark by itself.
_WORD = re.compile(r'\w+|[^\w\s]')
_VOCABULARIES = Path(__file__).parent / 'vocabularies'


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
        _check_length(context_length, '[SOS] and [EOS]')
        self.context_length = context_length
        self._bpe = SimpleTokenizer()

    def __call__(self, sentences: Sequence[str]) -> Tuple[Tensor, Tensor]:
        """Tokenise S sentences; an empty one is [SOS][EOS].

        Returns:
            tuple[Tensor, Tensor]: ids ``(S, context_length)`` int64, and mask ``(S, context_length)`` bool, true on
            real tokens. The mask is needed: id 0 is both padding and the token "!".
        """
        rows = []
        for sentence in sentences:
            words = self._bpe.encode(_prepare(sentence))[:self.context_length - 2]
            rows.append([self._bpe.sot_token_id, *words, self._bpe.eot_token_id])
        return _pad(rows, self.context_length, padding=0)

    def decode(self, ids: Tensor, mask: Tensor) -> str:
        """The words of one tokenised sentence, ``(context_length,)`` ids and mask, as the model sees them."""
        return self._bpe.decode(ids[mask].tolist()[1:-1]).strip()


@TRANSFORMS.register_module()
class BEiT3Tokenizer:
    """BEiT-3's SentencePiece vocabulary (64,000 pieces, case kept), in the numbering of XLM-RoBERTa.

    0 begins a sentence, 1 pads, 2 ends it, 3 is whatever the vocabulary lacks, and any other piece has the number
    that it has in the file, plus one. Sentences are taken as plain text: none can write a special token.

    Args:
        context_length (int): Tokens of a sentence, the first and the last one counted: longer ones are cut so that 2
            is last, shorter ones padded.
        vocabulary (str or Path): The file ``beit3.spm``, which comes from the publishers of BEiT-3 (docs/data.md).

    Raises:
        ValueError: If ``context_length`` has no room for the first and the last token.
        FileNotFoundError: If there is no such file; the message tells where it is from, and what else would do.
        ValueError: If the file is not a SentencePiece model, is cut, even between two pieces, or is that of another
            model.
    """

    BEGIN, PADDING, END, UNKNOWN = range(4)
    NUMBER_OF_PIECES = 64000

    def __init__(self, *, context_length: int, vocabulary: Union[str, Path]) -> None:
        _check_length(context_length, 'the first and the last token of a sentence')
        self.context_length = context_length
        self._pieces = self._read(Path(vocabulary))

    def __call__(self, sentences: Sequence[str]) -> Tuple[Tensor, Tensor]:
        """Tokenise S sentences; an empty one is its first and its last token.

        Returns:
            tuple[Tensor, Tensor]: ids ``(S, context_length)`` int64, and mask ``(S, context_length)`` bool, true on
            real tokens.
        """
        rows = []
        for sentence in sentences:
            # One by one: SentencePiece starts threads for a list.
            words = [piece + 1 if piece else self.UNKNOWN for piece in self._pieces.encode(_prepare(sentence))]
            rows.append([self.BEGIN, *words[:self.context_length - 2], self.END])
        return _pad(rows, self.context_length, padding=self.PADDING)

    def decode(self, ids: Tensor, mask: Tensor) -> str:
        """The words of one tokenised sentence, ``(context_length,)`` ids and mask, as the model sees them."""
        words = ids[mask].tolist()[1:-1]
        return self._pieces.decode([0 if word == self.UNKNOWN else word - 1 for word in words]).strip()

    def _read(self, path: Path) -> SentencePieceProcessor:
        if not path.is_file():
            raise FileNotFoundError(
                f'{path}, the SentencePiece model beit3.spm that BEiT-3 takes its words from, is missing. '
                f'https://github.com/microsoft/unilm/tree/master/beit3 links it; put it there, or set `vocabulary` of '
                f'the tokenizer to where it lies. Without BEiT-3\'s weights another tokenizer does as well: '
                f'dict(type=\'CLIPTokenizer\', context_length={self.context_length}).')
        content = path.read_bytes()
        what = 'empty' if not content else name_content(content[:START])
        if what is not None:
            raise ValueError(f'{path} is not a whole SentencePiece model: it is {what}. Fetch it again.')
        try:
            pieces = SentencePieceProcessor(model_proto=content)
        except RuntimeError as error:
            raise ValueError(f'{path} is not a whole SentencePiece model. Fetch it again.') from error
        if len(pieces) < 3 or not (pieces.is_unknown(0) and pieces.is_control(1) and pieces.is_control(2)):
            first = ', '.join(pieces.id_to_piece(number) for number in range(min(3, len(pieces))))
            raise ValueError(f'{path} is the SentencePiece model of another model than BEiT-3: its pieces begin with '
                             f'{first or "none"} instead of <unk>, <s>, </s>.')
        if len(pieces) > self.NUMBER_OF_PIECES:
            raise ValueError(f'{path} is the SentencePiece model of another model than BEiT-3: it has {len(pieces):,} '
                             f'pieces, and BEiT-3 has {self.NUMBER_OF_PIECES:,}.')
        # A file that is cut between two pieces, or behind the last one, can be read, and gives other ids.
        if len(pieces) < self.NUMBER_OF_PIECES:
            raise ValueError(f'{path} is not the whole SentencePiece model of BEiT-3: it has {len(pieces):,} of '
                             f'{self.NUMBER_OF_PIECES:,} pieces. Fetch it again.')
        if _NORMALIZER_FIELD not in _fields(content):
            raise ValueError(f'{path} is not the whole SentencePiece model of BEiT-3: it has no rules to normalise '
                             f'text, which come after the pieces. Fetch it again.')
        return pieces


@TRANSFORMS.register_module()
class WordPieceTokenizer:
    """BERT's word pieces (lower case, without accents), by the tokenizers library.

    A piece has the number of its line in the vocabulary. Sentences are taken as plain text: none can write a special
    token.

    Args:
        context_length (int): Tokens of a sentence, [CLS] and [SEP] counted: longer ones are cut so that [SEP] is
            last, shorter ones padded with [PAD].
        vocabulary (str or Path): The file ``vocab.txt`` of bert-base-uncased, a piece a line (docs/data.md).

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
        _check_length(context_length, '[CLS] and [SEP]')
        self.context_length = context_length
        numbers = self._read(Path(vocabulary))
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
            words = self._pieces.encode(_prepare(sentence)).ids
            rows.append([self._begin, *words[:self.context_length - 2], self._end])
        return _pad(rows, self.context_length, padding=self._padding)

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


@TRANSFORMS.register_module()
class WordTokenizer:
    """Whole words of a small vocabulary (lower case): what a model needs that is trained on few words, from scratch.

    A word has the number of its line in the vocabulary. A word that the vocabulary lacks is [UNK]. Sentences are taken
    as plain text: none can write a special token.

    Args:
        context_length (int): Tokens of a sentence, [BEGIN] and [END] counted: longer ones are cut so that [END] is
            last, shorter ones padded with [PAD].
        vocabulary (str or Path): Name of a vocabulary of the package (``'shaperef'``), or a text file with a word a
            line, in lower case, whose first four lines are [PAD], [UNK], [BEGIN] and [END].

    Raises:
        ValueError: If ``context_length`` has no room for [BEGIN] and [END].
        FileNotFoundError: If there is neither a vocabulary of that name nor such a file.
        ValueError: If the file is no text, does not begin with the four special tokens, or has a word that no sentence
            can have (twice, in upper case, or with a space).
    """

    SPECIAL = ('[PAD]', '[UNK]', '[BEGIN]', '[END]')
    PADDING, UNKNOWN, BEGIN, END = range(4)

    def __init__(self, *, context_length: int, vocabulary: Union[str, Path]) -> None:
        _check_length(context_length, '[BEGIN] and [END]')
        self.context_length = context_length
        self._words = self._read(vocabulary)
        self._numbers = {word: number for number, word in enumerate(self._words)}

    def __call__(self, sentences: Sequence[str]) -> Tuple[Tensor, Tensor]:
        """Tokenise S sentences; an empty one is [BEGIN][END].

        Returns:
            tuple[Tensor, Tensor]: ids ``(S, context_length)`` int64, and mask ``(S, context_length)`` bool, true on
            real tokens.
        """
        rows = []
        for sentence in sentences:
            words = [self._numbers.get(word, self.UNKNOWN) for word in _WORD.findall(_prepare(sentence).lower())]
            rows.append([self.BEGIN, *words[:self.context_length - 2], self.END])
        return _pad(rows, self.context_length, padding=self.PADDING)

    def decode(self, ids: Tensor, mask: Tensor) -> str:
        """The words of one tokenised sentence, ``(context_length,)`` ids and mask, as the model sees them."""
        return ' '.join(self._words[number] for number in ids[mask].tolist()[1:-1])

    def _read(self, vocabulary: Union[str, Path]) -> List[str]:
        shipped = _VOCABULARIES / f'{vocabulary}.txt'
        path = shipped if shipped.is_file() else Path(vocabulary)
        if not path.is_file():
            names = ', '.join(sorted(repr(one.stem) for one in _VOCABULARIES.glob('*.txt')))
            raise FileNotFoundError(f'{path}, the vocabulary of WordTokenizer, is neither a file nor one of the '
                                    f'package\'s vocabularies ({names}). Set `vocabulary` of the tokenizer.')
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


def _fields(message: bytes) -> Set[int]:
    """Numbers of the fields of a message of Protocol Buffers, which is whole, and whose fields are all messages."""
    fields, place = set(), 0

    def number() -> int:
        nonlocal place
        value = shift = 0
        while True:
            byte = message[place]
            place += 1
            value |= (byte & 0x7f) << shift
            if byte < 0x80:
                return value
            shift += 7

    while place < len(message):
        fields.add(number() >> 3)
        length = number()
        place += length
    return fields


def _prepare(sentence: str) -> str:
    return to_well_formed(sentence[:MOST_CHARACTERS])


def _check_length(length: int, needed: str) -> None:
    if length < 2:
        raise ValueError(f'context_length must be at least 2, for {needed}, but got {length}.')


def _pad(rows: Sequence[List[int]], length: int, padding: int) -> Tuple[Tensor, Tensor]:
    """Ids ``(S, length)`` and the mask of those that are not padding."""
    # Arrays are filled in a tenth of the time that tensors take.
    ids = np.full((len(rows), length), padding, dtype=np.int64)
    mask = np.zeros((len(rows), length), dtype=np.bool_)
    for row, tokens in enumerate(rows):
        ids[row, :len(tokens)] = tokens
        mask[row, :len(tokens)] = True
    return torch.from_numpy(ids), torch.from_numpy(mask)
