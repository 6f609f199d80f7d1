"""CLIP's tokenizer, by the tokenizers library."""

import gzip
import zlib
from pathlib import Path
from typing import Dict, List, Tuple, Union

from tokenizers import Regex, models, pre_tokenizers

from .clip_text import clean_text
from .common import SentenceTokenizer
from .vocabulary import Vocabulary

BEGIN, END = '<start_of_text>', '<end_of_text>'
_END_OF_WORD = '</w>'
# The vocabulary is 256 bytes, these at the end of a word, a piece for each merge, and the two special tokens.
_MERGES = 49408 - 2 * 256 - 2
# What is encoded by itself: a special token, an English ending, a run of letters, a digit, a run of other marks. The
# iota below other letters (U+0345) is neither to open_clip, which compares without regard to case.
_PIECE = rf"(?i:{BEGIN}|{END}|'s|'t|'re|'ve|'m|'ll|'d)|[\p{{L}}]+|[\p{{N}}]|[^\s\p{{L}}\p{{N}}\x{{345}}]+"


class CLIPTokenizer(SentenceTokenizer):
    """CLIP's byte pair encoding (lower case, vocabulary of 49,408), without open_clip.

    It gives the ids of open_clip's tokenizer for all text that is not mojibake (see
    :func:`~mmris.tokenizers.clip_text.clean_text`), and whose characters Unicode has had for some years: the two
    libraries may disagree whether a new one is a letter.

    Args:
        context_length (int): Tokens of a sentence, [SOS] and [EOS] counted: longer ones are cut so that [EOS] is
            last, shorter ones padded with 0, which is also the token "!": the mask tells them apart.
        vocabulary (str or Path): The file ``bpe_simple_vocab_16e6.txt.gz`` of CLIP, which open_clip brings.
        pad_to_longest (bool): Pad to the longest of the sentences that are tokenised together, instead of to
            ``context_length``. Default: False.

    Raises:
        ValueError: If ``context_length`` has no room for [SOS] and [EOS].
        FileNotFoundError: If there is no such file.
        ValueError: If the file is not that of CLIP's merges, or not whole.
    """

    _padding = 0

    def __init__(self, *, context_length: int, vocabulary: Union[str, Path], pad_to_longest: bool = False) -> None:
        super().__init__(context_length=context_length, pad_to_longest=pad_to_longest, ends='[SOS] and [EOS]')
        self.vocabulary_file = Path(vocabulary)
        merges, characters = _read_merges(self.vocabulary_file), _characters_of_bytes()
        letters = list(characters.values())
        pieces = [*letters, *(letter + _END_OF_WORD for letter in letters), *map(''.join, merges), BEGIN, END]
        numbers = {piece: number for number, piece in enumerate(pieces)}
        self._pieces, self._bytes = pieces, {character: byte for byte, character in characters.items()}
        self._begin, self._end = numbers[BEGIN], numbers[END]
        self._special = {BEGIN: self._begin, END: self._end}
        self._merging = models.BPE(numbers, merges, end_of_word_suffix=_END_OF_WORD)
        self._split = pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(_PIECE), behavior='removed', invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        ])

    @property
    def vocabulary(self) -> Vocabulary:
        # What pads is also a word, "!".
        return Vocabulary(size=len(self._pieces), special=(self._begin, self._end))

    def _encode(self, sentence: str) -> List[int]:
        ids = []
        for piece, _ in self._split.pre_tokenize_str(clean_text(sentence)):
            if piece in self._special:
                ids.append(self._special[piece])
            else:
                ids += (token.id for token in self._merging.tokenize(piece))
        return ids

    def _decode(self, words: List[int]) -> str:
        characters = ''.join(self._pieces[word] for word in words)
        text = bytes(self._bytes[character] for character in characters).decode(errors='replace')
        return text.replace(_END_OF_WORD, ' ').strip()


def _read_merges(path: Path) -> List[Tuple[str, str]]:
    """The pairs of pieces that are merged, the first one first."""
    if not path.is_file():
        raise FileNotFoundError(f'{path}, the file of byte pairs that CLIP takes its words from, is missing: open_clip '
                                f'has it as open_clip/bpe_simple_vocab_16e6.txt.gz. Set `vocabulary` of the tokenizer '
                                f'to where it lies.')
    try:
        lines = gzip.decompress(path.read_bytes()).decode().split('\n')
    except (EOFError, OSError, UnicodeDecodeError, zlib.error) as error:
        raise ValueError(f'{path} is not a whole file of byte pairs, compressed with gzip ({error}). Copy '
                         f'bpe_simple_vocab_16e6.txt.gz of open_clip again.') from error
    # A line of the version comes first; the file has more pairs than CLIP uses.
    merges = [tuple(line.split()) for line in lines[1:_MERGES + 1]]
    wrong = next((number for number, pair in enumerate(merges, 2) if len(pair) != 2), None)
    if wrong is not None or len(merges) < _MERGES:
        found = f'line {wrong:,} is not a pair' if wrong is not None else f'it has {len(merges):,} pairs'
        raise ValueError(f'{path} is not the file of CLIP\'s {_MERGES:,} byte pairs: {found}. Copy '
                         f'bpe_simple_vocab_16e6.txt.gz of open_clip again.')
    return merges


def _characters_of_bytes() -> Dict[int, str]:
    """The printable character that stands for each byte, in the vocabulary's order."""
    plain = [*range(ord('!'), ord('~') + 1), *range(ord('¡'), ord('¬') + 1), *range(ord('®'), ord('ÿ') + 1)]
    others = [byte for byte in range(256) if byte not in plain]
    return {**{byte: chr(byte) for byte in plain}, **{byte: chr(256 + place) for place, byte in enumerate(others)}}
