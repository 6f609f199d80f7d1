"""What text is made of: letters, pieces that a line may end after, and scripts.

The regex package knows Unicode's rules for it. Without it, each character is a letter, so that accents and emoji of
several characters may be drawn apart, and ideographs are those of the usual blocks.
"""

import re
from typing import List

try:
    import regex
except ImportError:
    regex = None

if regex is None:
    _IDEOGRAPH = '\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff'
    _KANA, _HANGUL = '[\u3040-\u30ff]', '[\u1100-\u11ff\uac00-\ud7a3]'
    _EMOJI = '[\u203c-\u3299\U0001f000-\U0001faff]'
    _LETTERS = re.compile('.', re.DOTALL)
    _PIECES = re.compile(rf'[{_IDEOGRAPH}][\u3001-\u3011\uff01-\uff20]*|\s+|[^\s{_IDEOGRAPH}]+')
else:
    _IDEOGRAPH, _KANA, _HANGUL = r'\p{Han}\p{Hiragana}\p{Katakana}', r'[\p{Hiragana}\p{Katakana}]', r'\p{Hangul}'
    _EMOJI = r'\p{Emoji}'
    _LETTERS = regex.compile(r'\X')
    # What may stand on a line alone: an ideograph with its punctuation, a word, a space between words.
    _PIECES = regex.compile(
        rf'[\p{{Ps}}\p{{Pi}}]*[{_IDEOGRAPH}][\p{{M}}\p{{Pe}}\p{{Pf}}\p{{Po}}\p{{Lm}}]*|\s+|[^\s{_IDEOGRAPH}]+')

_VARIATION_SELECTOR = re.compile('[\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]')


def split_letters(text: str) -> List[str]:
    """Split text into letters: each a character with what belongs to it, or several that make one emoji."""
    return _LETTERS.findall(text)


def split_pieces(text: str) -> List[str]:
    """Split text into what may stand on a line alone: words, ideographs, and the spaces between."""
    return _PIECES.findall(text)


def region_of(text: str) -> str:
    """Whose forms Chinese characters of a text most likely take: ``'JP'``, ``'KR'`` or ``'SC'``."""
    if (regex or re).search(_KANA, text):
        return 'JP'
    return 'KR' if (regex or re).search(_HANGUL, text) else 'SC'


def is_emoji(character: str) -> bool:
    """Whether a character can be drawn as an emoji."""
    return (regex or re).match(_EMOJI, character) is not None


def is_variation_selector(character: str) -> bool:
    """Whether a character only chooses the form of the one before."""
    return _VARIATION_SELECTOR.match(character) is not None
