"""Tokenizers of the registry: those of :mod:`mmris.tokenizers`, with ids as tensors."""

from .clip import CLIPTokenizer
from .tensors import BEiT3Tokenizer, WordPieceTokenizer, WordTokenizer

__all__ = ['BEiT3Tokenizer', 'CLIPTokenizer', 'WordPieceTokenizer', 'WordTokenizer']
