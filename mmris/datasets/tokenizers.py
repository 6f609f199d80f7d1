"""Sentences to token ids."""

from pathlib import Path
from typing import List, Sequence, Tuple, Union

import torch
from open_clip.tokenizer import SimpleTokenizer
from sentencepiece import SentencePieceProcessor
from torch import Tensor

from mmris.registry import TRANSFORMS


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
        if context_length < 2:
            raise ValueError(f'context_length must be at least 2, for [SOS] and [EOS], but got {context_length}.')
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
            words = self._bpe.encode(sentence)[:self.context_length - 2]
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
        ValueError: If the file is no SentencePiece model, or not a whole one, or that of another model.
    """

    BEGIN, PADDING, END, UNKNOWN = range(4)
    # Rows of BEiT-3's embedding of words; the last few belong to no piece.
    NUMBER_OF_EMBEDDINGS = 64010

    def __init__(self, *, context_length: int, vocabulary: Union[str, Path]) -> None:
        if context_length < 2:
            raise ValueError(f'context_length must be at least 2, for the first and the last token of a sentence, but '
                             f'got {context_length}.')
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
            words = [piece + 1 if piece else self.UNKNOWN for piece in self._pieces.encode(sentence)]
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
        try:
            pieces = SentencePieceProcessor(model_proto=path.read_bytes())
        except RuntimeError as error:
            raise ValueError(f'{path} is not a whole SentencePiece model. Fetch it again.') from error
        if len(pieces) == 0:
            raise ValueError(f'{path} is not a whole SentencePiece model: it is empty. Fetch it again.')
        if len(pieces) < 3 or not (pieces.is_unknown(0) and pieces.is_control(1) and pieces.is_control(2)):
            first = ', '.join(pieces.id_to_piece(number) for number in range(min(3, len(pieces))))
            raise ValueError(f'{path} is the SentencePiece model of another model than BEiT-3: its pieces begin with '
                             f'{first} instead of <unk>, <s>, </s>.')
        if len(pieces) >= self.NUMBER_OF_EMBEDDINGS:
            raise ValueError(f'{path} is the SentencePiece model of another model than BEiT-3: it has {len(pieces):,} '
                             f'pieces, and BEiT-3 has embeddings of {self.NUMBER_OF_EMBEDDINGS:,} tokens.')
        return pieces


def _pad(rows: Sequence[List[int]], length: int, padding: int) -> Tuple[Tensor, Tensor]:
    """Ids ``(S, length)`` and the mask of those that are not padding."""
    ids = torch.full((len(rows), length), padding, dtype=torch.int64)
    mask = torch.zeros(len(rows), length, dtype=torch.bool)
    for row, tokens in enumerate(rows):
        ids[row, :len(tokens)] = torch.tensor(tokens)
        mask[row, :len(tokens)] = True
    return ids, mask
