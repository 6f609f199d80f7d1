"""Sentences to token ids, as NumPy arrays. Nothing here needs torch; a tokenizer is imported when it is asked for.

:mod:`mmris.datasets.tokenizers` has the tokenizers of the registry, which give tensors.
"""

from importlib import import_module
from typing import Any

_MODULES = dict(
    BEiT3Tokenizer='beit3',
    CLIPTokenizer='clip',
    SentenceTokenizer='common',
    WordPieceTokenizer='word_pieces',
    WordTokenizer='words')

__all__ = list(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    value = getattr(import_module(f'.{_MODULES[name]}', __name__), name)
    globals()[name] = value
    return value
