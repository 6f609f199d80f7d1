"""What a package states of its licence, and of which kind that is."""

import re
from email.message import Message
from typing import List, Optional, Tuple

# Longer statements are the licence itself.
_LONGEST = 60
# How licences call themselves in their first lines.
_TITLES = re.compile(
    r'(Apache License|MIT License|The MIT License|BSD [23]-Clause License|'
    r'GNU (?:Affero |Lesser |Library )?General Public License|Mozilla Public License|Eclipse Public License)',
    re.IGNORECASE)
_FIRST_LETTERS = 500
_WEAK = re.compile(r'\bLGPL|\bMPL|\bEPL\b|\bEPL-|\bCDDL|\bEUPL|Lesser General|Library General|Library or Lesser|'
                   r'Mozilla Public|Eclipse Public', re.IGNORECASE)
_STRONG = re.compile(r'\bA?GPL|\bOSL|\bSSPL|\bCC-BY-SA|\bCECILL-2|General Public License', re.IGNORECASE)
_PROPRIETARY = re.compile(r'proprietary', re.IGNORECASE)
_KINDS = (None, 'weak copyleft', 'copyleft')


def licence_of(stated: Message) -> Optional[str]:
    """Read what the metadata of a package states: an SPDX expression, else a short text, else classifiers, else the
    title of a whole licence.

    Args:
        stated (Message): The metadata.

    Returns:
        str, optional: The licence. None: it is not stated.
    """
    expression = (stated.get('License-Expression') or '').strip()
    if expression:
        return expression
    text = (stated.get('License') or '').strip()
    if 0 < len(text) <= _LONGEST and '\n' not in text and text.upper() != 'UNKNOWN':
        return text
    classifiers = [one.rpartition(' :: ')[2] for one in stated.get_all('Classifier') or []
                   if one.startswith('License :: ') and one != 'License :: OSI Approved']
    if classifiers:
        return ', '.join(classifiers)
    title = _TITLES.search(text[:_FIRST_LETTERS])
    return title[0] if title else None


def kind_of(licence: str) -> Optional[str]:
    """Tell of which kind a licence is.

    Where one may choose (``OR``), the freest part counts; where all parts hold (``AND``, or a list), the strictest.

    Args:
        licence (str): As :func:`licence_of` gives it.

    Returns:
        str, optional: ``'copyleft'`` (GPL, AGPL), ``'weak copyleft'`` (LGPL, MPL: for the package's own files),
        ``'proprietary'``; None: none of these.
    """
    if _PROPRIETARY.search(licence):
        return 'proprietary'
    tokens = re.findall(r'\(|\)|\bOR\b|\bAND\b|(?:(?!\bOR\b|\bAND\b)[^()])+', licence)
    strictness, rest = _either([one.strip() for one in tokens if one.strip()])
    # Brackets of other uses, such as in `Mozilla Public License 2.0 (MPL 2.0)`.
    return _KINDS[max([strictness, *map(_strictness, rest)])]


def _either(tokens: List[str]) -> Tuple[int, List[str]]:
    """The strictness of alternatives, and the tokens after them."""
    freest, tokens = _all(tokens)
    while tokens and tokens[0] == 'OR':
        other, tokens = _all(tokens[1:])
        freest = min(freest, other)
    return freest, tokens


def _all(tokens: List[str]) -> Tuple[int, List[str]]:
    """The strictness of what holds together, and the tokens after it."""
    strictest = 0
    while tokens and tokens[0] not in ('OR', ')'):
        first, *tokens = tokens
        if first == '(':
            inside, tokens = _either(tokens)
            strictest, tokens = max(strictest, inside), tokens[1:]
        elif first != 'AND':
            strictest = max(strictest, _strictness(first))
    return strictest, tokens


def _strictness(licence: str) -> int:
    return 1 if _WEAK.search(licence) else 2 if _STRONG.search(licence) else 0
