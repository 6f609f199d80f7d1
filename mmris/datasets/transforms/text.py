"""From sentences to token ids."""

from mmcv.transforms import BaseTransform

from mmris.registry import TRANSFORMS
from mmris.utils.text import to_well_formed


@TRANSFORMS.register_module()
class Tokenize(BaseTransform):
    """Tokenises the expressions of a sample.

    Required key: ``text``, S sentences; half characters in them become U+FFFD. Added keys: ``token_ids``, ``(S, L)``
    int64; ``token_mask``, ``(S, L)`` bool, true on real tokens; ``vocabulary``, the tokenizer's
    :class:`~mmris.tokenizers.Vocabulary`, None of one that has none. L is the tokenizer's.

    Args:
        tokenizer (dict): Config of a tokenizer, such as ``dict(type='mmris.CLIPTokenizer', context_length=17)``.
    """

    def __init__(self, *, tokenizer: dict) -> None:
        self.tokenizer = TRANSFORMS.build(tokenizer)

    def transform(self, results: dict) -> dict:
        """Tokenise."""
        # Also for data sets of others: what follows may write the text.
        results['text'] = [to_well_formed(sentence) for sentence in results['text']]
        results['token_ids'], results['token_mask'] = self.tokenizer(results['text'])
        # A tokenizer of another package may not know.
        results['vocabulary'] = getattr(self.tokenizer, 'vocabulary', None)
        return results
