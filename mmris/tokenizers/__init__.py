"""Sentences to token ids, as NumPy arrays. Nothing here needs torch; a tokenizer is imported when it is asked for.

:mod:`mmris.datasets.tokenizers` has the tokenizers of the registry, which give tensors.
"""

from mmris.utils.importing import import_when_asked

_MODULES = dict(
    BEiT3Tokenizer='beit3',
    CLIPTokenizer='clip',
    SentenceTokenizer='common',
    Vocabulary='vocabulary',
    WordPieceTokenizer='word_pieces',
    WordTokenizer='words')

__all__ = list(_MODULES)

__getattr__ = import_when_asked(__name__, _MODULES)
