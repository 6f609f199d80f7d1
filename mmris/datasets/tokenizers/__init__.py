"""Sentences to token ids."""

from .beit3 import BEiT3Tokenizer
from .clip import CLIPTokenizer
from .word_pieces import WordPieceTokenizer
from .words import WordTokenizer

__all__ = ['BEiT3Tokenizer', 'CLIPTokenizer', 'WordPieceTokenizer', 'WordTokenizer']
