"""BEiT-3's tokenizer."""

from itertools import groupby
from pathlib import Path
from typing import List, Set, Union

from sentencepiece import SentencePieceProcessor

from mmris.utils.file_content import START, name_content
from mmris.zoo import find_vocabulary

from .common import SentenceTokenizer
from .vocabulary import Vocabulary

# Of the message that a SentencePiece model is.
_NORMALIZER_FIELD = 3


class BEiT3Tokenizer(SentenceTokenizer):
    """BEiT-3's SentencePiece vocabulary (64,000 pieces, case kept), in the numbering of XLM-RoBERTa.

    0 begins a sentence, 1 pads, 2 ends it, 3 is whatever the vocabulary lacks, and any other piece has the number
    that it has in the file, plus one. Sentences are taken as plain text: none can write a special token, except
    ``[semantic]`` where ``semantic_token`` says so.

    Args:
        context_length (int): Tokens of a sentence, the first and the last one counted: longer ones are cut so that 2
            is last, shorter ones padded.
        vocabulary (str or Path): The file ``beit3.spm``, which comes from the publishers of BEiT-3 (docs/data.md),
            or a name of the zoo whose row has it, such as ``'beit3-base'``.
        pad_to_longest (bool): Pad to the longest of the sentences that are tokenised together, instead of to
            ``context_length``. Default: False.
        lower_case (bool): Strip sentences and put them in lower case, as EVF-SAM's evaluation does. Default: False.
        semantic_token (bool): Read ``[semantic]``, wherever it stands in a sentence, as the token 64002, which
            EVF-SAM's multitask weights have in addition: ``'[semantic] hair'`` is 0, 64002, the pieces of "hair", 2.
            Only after ``lower_case`` is applied, so that then ``[SEMANTIC]`` is the token too. Default: False, plain
            text.

    Raises:
        ValueError: If ``context_length`` has no room for the first and the last token.
        FileNotFoundError: If there is no such file; the message tells where it is from, and what else would do.
        ValueError: If the file is not a SentencePiece model, is cut, even between two pieces, or is that of another
            model.
    """

    BEGIN, PADDING, END, UNKNOWN = range(4)
    NUMBER_OF_PIECES = 64000
    # Pieces are counted from 1, and XLM-RoBERTa's <mask> follows them.
    MASK = NUMBER_OF_PIECES + 1
    SEMANTIC, SEMANTIC_TEXT = MASK + 1, '[semantic]'
    _begin, _end, _padding = BEGIN, END, PADDING

    def __init__(self,
                 *,
                 context_length: int,
                 vocabulary: Union[str, Path],
                 pad_to_longest: bool = False,
                 lower_case: bool = False,
                 semantic_token: bool = False) -> None:
        super().__init__(
            context_length=context_length,
            pad_to_longest=pad_to_longest,
            ends='the first and the last token of a sentence')
        self.lower_case = lower_case
        self.semantic_token = semantic_token
        self.vocabulary_file = find_vocabulary(vocabulary)
        self._pieces = self._read(self.vocabulary_file)

    @property
    def vocabulary(self) -> Vocabulary:
        special = (self.BEGIN, self.PADDING, self.END, self.UNKNOWN, self.MASK)
        if self.semantic_token:
            return Vocabulary(size=self.SEMANTIC + 1, special=(*special, self.SEMANTIC), mask=self.MASK)
        return Vocabulary(size=self.MASK + 1, special=special, mask=self.MASK)

    def _encode(self, sentence: str) -> List[int]:
        if self.lower_case:
            sentence = sentence.strip().lower()
        first, *others = sentence.split(self.SEMANTIC_TEXT) if self.semantic_token else [sentence]
        words = self._encode_text(first)
        for text in others:
            words += [self.SEMANTIC, *self._encode_text(text)]
        return words

    def _encode_text(self, text: str) -> List[int]:
        return [piece + 1 if piece else self.UNKNOWN for piece in self._pieces.encode(text)]

    def _decode(self, words: List[int]) -> str:
        texts = []
        for semantic, run in groupby(words, key=lambda word: word == self.SEMANTIC):
            if semantic:
                texts += [self.SEMANTIC_TEXT for _ in run]
            else:
                texts.append(self._pieces.decode([0 if word == self.UNKNOWN else word - 1 for word in run]).strip())
        return ' '.join(text for text in texts if text)

    def _read(self, path: Path) -> SentencePieceProcessor:
        if not path.is_file():
            raise FileNotFoundError(
                f'{path}, the SentencePiece model beit3.spm that BEiT-3 takes its words from, is missing. '
                f'https://github.com/microsoft/unilm/tree/master/beit3 links it; put it there, or set `vocabulary` of '
                f'the tokenizer to where it lies. Without BEiT-3\'s weights another tokenizer does as well: '
                f'dict(type=\'CLIPTokenizer\', {self._lengths}).')
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
