"""The licences of what is installed for mmris."""

import json
import re
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Dict, List, Optional, Sequence, Set, Tuple

from .licence_terms import kind_of, licence_of

# What ``asked_by`` says of a package that every installation has.
ALWAYS = 'always'
# Of the other extras together.
_ALL = 'all'
_REQUIREMENT = re.compile(r'\s*([\w.-]+)\s*(?:\[([^]]*)\])?[^;]*(?:;(.*))?', re.DOTALL)
_EXTRA = re.compile(r'extra\s*==\s*["\']([^"\']+)["\']')


@dataclass(frozen=True)
class PackageLicence:
    """An installed package that mmris depends on.

    Attributes:
        name (str): Of the distribution.
        version (str): Its version.
        licence (str, optional): As the package states it. None: it states none.
        kind (str, optional): ``'copyleft'``, ``'weak copyleft'`` or ``'proprietary'``; None: neither of them, as far as
            the statement tells.
        asked_by (list[str]): :data:`ALWAYS`, or the extras of mmris that need it, directly or through others.
    """

    name: str
    version: str
    licence: Optional[str]
    kind: Optional[str]
    asked_by: List[str]


def list_licences() -> List[PackageLicence]:
    """List what mmris depends on, through any number of others, and is installed; by name.

    Raises:
        ModuleNotFoundError: If mmris runs from a folder that is not installed: its dependencies are not known then.
    """
    try:
        extras = metadata.distribution('mmris').metadata.get_all('Provides-Extra') or []
    except metadata.PackageNotFoundError as error:
        raise ModuleNotFoundError(
            'mmris runs from a folder that is not installed, so that its dependencies are not known. Install it: '
            '`pip install -e .` in a checkout.') from error
    asked: Dict[str, List[str]] = {}
    for extra in [None, *(one for one in extras if one != _ALL)]:
        for name in _needed_by('mmris', extra):
            asked.setdefault(name, []).append(ALWAYS if extra is None else extra)
    found = [_describe(name, [ALWAYS] if ALWAYS in by else sorted(by)) for name, by in sorted(asked.items())]
    return [one for one in found if one is not None]


def format_licences(licences: Sequence[PackageLicence]) -> str:
    """Lay out a list of licences, with what to look at below it."""
    rows = [(one.name, one.version, one.licence or 'not stated', one.kind or '', ', '.join(one.asked_by))
            for one in licences]
    heading = ('package', 'version', 'licence', 'kind', 'asked for by')
    widths = [max(map(len, column)) for column in zip(heading, *rows)]
    lines = ['  '.join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in (heading, *rows)]
    counts = [f'{len(licences)} packages']
    for kind in ('copyleft', 'weak copyleft', 'proprietary'):
        named = [one.name for one in licences if one.kind == kind]
        counts += [f'{kind}: {", ".join(named)}'] if named else []
    silent = [one.name for one in licences if one.licence is None]
    counts += [f'not stated by the package, look at its home page: {", ".join(silent)}'] if silent else []
    return '\n'.join([*lines, '', *counts])


def licences_as_json(licences: Sequence[PackageLicence]) -> str:
    """The same for programs."""
    return json.dumps(dict(packages=[asdict(one) for one in licences]), indent=2)


def _describe(name: str, asked_by: List[str]) -> Optional[PackageLicence]:
    try:
        found = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None
    licence = licence_of(found.metadata)
    return PackageLicence(found.metadata['Name'], found.version, licence, kind_of(licence or ''), asked_by)


def _needed_by(name: str, extra: Optional[str]) -> Set[str]:
    """Plain names of all that a distribution needs for an extra, or always."""
    found: Set[Tuple[str, Optional[str]]] = set()
    waiting: List[Tuple[str, Optional[str]]] = [(name, extra)]
    while waiting:
        one = waiting.pop()
        if one in found:
            continue
        found.add(one)
        waiting += _requirements(*one)
    # Itself, which an extra may name.
    return {one for one, _ in found} - {_plain(name)}


def _requirements(name: str, extra: Optional[str]) -> List[Tuple[str, Optional[str]]]:
    """What a distribution asks for by itself, or what one of its extras adds.

    Other conditions, such as of platforms, do not matter: what they leave out is not installed.
    """
    try:
        lines = metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return []
    found: List[Tuple[str, Optional[str]]] = []
    for line in lines:
        asked, extras, condition = _REQUIREMENT.match(line).groups()
        of = _EXTRA.findall(condition or '')
        if extra in of if of else extra is None:
            found.append((_plain(asked), None))
            found += [(_plain(asked), one.strip()) for one in (extras or '').split(',') if one.strip()]
    return found


def _plain(name: str) -> str:
    return re.sub(r'[-_.]+', '-', name).lower()
