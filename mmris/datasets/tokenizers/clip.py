"""CLIP's tokenizer."""

from typing import Sequence, Tuple

from open_clip.tokenizer import SimpleTokenizer
from torch import Tensor

from mmris.registry import TRANSFORMS

from .common import check_length, pad, prepare


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
        check_length(context_length, '[SOS] and [EOS]')
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
            words = self._bpe.encode(prepare(sentence))[:self.context_length - 2]
            rows.append([self._bpe.sot_token_id, *words, self._bpe.eot_token_id])
        return pad(rows, self.context_length, padding=0)

    def decode(self, ids: Tensor, mask: Tensor) -> str:
        """The words of one tokenised sentence, ``(context_length,)`` ids and mask, as the model sees them."""
        return self._bpe.decode(ids[mask].tolist()[1:-1]).strip()
