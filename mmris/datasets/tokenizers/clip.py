"""CLIP's tokenizer."""

from pathlib import Path
from typing import List

from open_clip.tokenizer import SimpleTokenizer, default_bpe

from mmris.registry import TRANSFORMS
from mmris.tokenizers import SentenceTokenizer, Vocabulary

from .tensors import TensorTokenizer


@TRANSFORMS.register_module()
class CLIPTokenizer(TensorTokenizer, SentenceTokenizer):
    """CLIP's byte pair encoding (lower case, vocabulary of 49,408), by open_clip.

    :class:`mmris.tokenizers.CLIPTokenizer` gives the same ids without open_clip.

    Args:
        context_length (int): Tokens of a sentence, [SOS] and [EOS] counted: longer ones are cut so that [EOS] is
            last, shorter ones padded with 0, which is also the token "!": the mask tells them apart.
        pad_to_longest (bool): Pad to the longest of the sentences that are tokenised together, instead of to
            ``context_length``. Default: False.

    Raises:
        ValueError: If ``context_length`` has no room for [SOS] and [EOS].
    """

    def __init__(self, *, context_length: int, pad_to_longest: bool = False) -> None:
        super().__init__(context_length=context_length, pad_to_longest=pad_to_longest, ends='[SOS] and [EOS]')
        self.vocabulary_file = Path(default_bpe())
        self._bpe = SimpleTokenizer(str(self.vocabulary_file))
        self._begin, self._end, self._padding = self._bpe.sot_token_id, self._bpe.eot_token_id, 0

    @property
    def vocabulary(self) -> Vocabulary:
        # What pads is also a word, "!".
        return Vocabulary(size=self._bpe.vocab_size, special=(self._begin, self._end))

    def _encode(self, sentence: str) -> List[int]:
        return self._bpe.encode(sentence)

    def _decode(self, words: List[int]) -> str:
        return self._bpe.decode(words).strip()
