"""From sentences to token ids."""

from mmcv.transforms import BaseTransform

from mmris.registry import TRANSFORMS


@TRANSFORMS.register_module()
class Tokenize(BaseTransform):
    """Tokenises the expressions of a sample.

    Required key: ``text``, S sentences. Added keys: ``token_ids``, ``(S, L)`` int64; ``token_mask``, ``(S, L)`` bool,
    true on real tokens.

    Args:
        tokenizer (dict): Config of a tokenizer, such as ``dict(type='mmris.CLIPTokenizer', context_length=17)``.
    """

    def __init__(self, *, tokenizer: dict) -> None:
        self.tokenizer = TRANSFORMS.build(tokenizer)

    def transform(self, results: dict) -> dict:
        """Tokenise."""
        results['token_ids'], results['token_mask'] = self.tokenizer(results['text'])
        return results
