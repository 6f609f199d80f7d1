"""What CLIP's tokenizer does to text before it looks for words."""

import html
import re
import unicodedata
from functools import cache
from html.entities import html5
from typing import Dict, Optional

# As ftfy has them: letters that are typed as two, but æ and its like are letters of their own.
_LIGATURES = str.maketrans({
    'Ĳ': 'IJ', 'ĳ': 'ij', 'ŉ': 'ʼn', 'Ǳ': 'DZ', 'ǲ': 'Dz', 'ǳ': 'dz', 'Ǆ': 'DŽ', 'ǅ': 'Dž', 'ǆ': 'dž', 'Ǉ': 'LJ',
    'ǈ': 'Lj', 'ǉ': 'lj', 'Ǌ': 'NJ', 'ǋ': 'Nj', 'ǌ': 'nj', 'ﬀ': 'ff', 'ﬁ': 'fi', 'ﬂ': 'fl', 'ﬃ': 'ffi', 'ﬄ': 'ffl',
    'ﬅ': 'ſt', 'ﬆ': 'st'
})
_QUOTES = str.maketrans({**dict.fromkeys('\u02bc\u2018\u2019\u201a\u201b', "'"),
                         **dict.fromkeys('\u201c\u201d\u201e\u201f', '"')})
_LINE_BREAK = re.compile('\r\n|[\r\u2028\u2029\x85]')
_TERMINAL_ESCAPE = re.compile('\x1b\\[[\\d;]*[a-zA-Z]')
_CONTROLS = dict.fromkeys((*range(0x00, 0x09), 0x0b, *range(0x0e, 0x20), 0x7f, *range(0x206a, 0x2070), 0xfeff,
                           *range(0xfff9, 0xfffd)))
_ENTITY = re.compile('&#?[0-9A-Za-z]{1,24};')


def clean_text(text: str) -> str:
    """Bring text to the form that CLIP's vocabulary is of, as open_clip does by ftfy.

    HTML entities become characters. Curly quotes, ligatures, full-width and half-width forms become plain, the control
    characters of Windows-1252 (U+0080 to U+009F) what they were meant to be. Terminal escapes and control characters
    are removed, accents composed (NFC), runs of white space become one space, and letters lower case.

    What of ftfy is missing is the repair of mojibake, text that was decoded in the wrong encoding: ``'cafÃ©'`` stays as
    it is, where open_clip reads ``'café'``.

    Args:
        text (str): Any text without lone surrogates.

    Returns:
        str: The text, on one line, without white space at its ends.
    """
    if text.isascii() and '&' not in text and text.isprintable():
        return ' '.join(text.split()).lower()
    lines, unescape = [], True
    for line in text.split('\n'):
        # Where there is a tag, the text is taken for HTML, from that line on.
        unescape = unescape and '<' not in line
        lines.append(_fix(line, unescape))
    return ' '.join(html.unescape(html.unescape('\n'.join(lines))).split()).lower()


def _fix(text: str, unescape: bool) -> str:
    """Repeat all repairs until they change nothing, since one may give another something to do."""
    fixed = None
    while fixed != text:
        text = text if fixed is None else fixed
        fixed = _ENTITY.sub(_read_entity, text) if unescape else text
        fixed = ''.join(_windows_1252().get(one, one) for one in fixed)
        fixed = fixed.translate(_LIGATURES).translate(_plain_widths()).translate(_QUOTES)
        fixed = _LINE_BREAK.sub('\n', fixed)
        fixed = _TERMINAL_ESCAPE.sub('', fixed).translate(_CONTROLS)
        fixed = unicodedata.normalize('NFC', fixed)
    return fixed


def _read_entity(found: re.Match) -> str:
    entity = found[0]
    if entity.startswith('&#'):
        character = html.unescape(entity)
        return entity if ';' in character else character
    return html5.get(entity[1:]) or _upper_case_entity(entity) or entity


def _upper_case_entity(entity: str) -> Optional[str]:
    """What an entity means that was put in upper case with its text, as ``&EACUTE;``."""
    lower = entity.lower()
    if entity != lower.upper() or html.unescape(entity) != entity or lower[1:] not in html5:
        return None
    return html5[lower[1:]].upper()


@cache
def _plain_widths() -> Dict[int, str]:
    """The plain forms of characters that are as wide as an ideograph, or half as wide."""
    wide = {number: unicodedata.normalize('NFKC', chr(number)) for number in range(0xff01, 0xfff0)}
    return {0x3000: ' ', **{number: plain for number, plain in wide.items() if plain != chr(number)}}


@cache
def _windows_1252() -> Dict[str, str]:
    """What control characters from U+0080 to U+009F are in Windows-1252; five of them are nothing."""
    read = {chr(number): bytes([number]).decode('cp1252', 'ignore') for number in range(0x80, 0xa0)}
    return {control: character for control, character in read.items() if character}
