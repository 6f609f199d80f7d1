"""Fonts for pictures with sentences."""

from typing import Mapping, Optional, Sequence

from .report import Section


def examine_fonts(fonts: Optional[Mapping[str, Sequence[Optional[str]]]]) -> Section:
    """Look at which scripts can be drawn; one without a font is not wrong.

    Args:
        fonts (Mapping, optional): See :func:`mmris.visualization.fonts.fonts_of_scripts`. None: it was not imported.
    """
    section = Section('Fonts of pictures', {'Latin, Greek, Cyrillic, Arabic': 'DejaVu Sans, which matplotlib brings'})
    if fonts is None:
        section.facts['others'] = 'not known, since drawing cannot be imported'
        return section
    for script, (path, package) in fonts.items():
        section.facts[script] = path or f'none: boxes are drawn (Debian and Ubuntu: `apt-get install {package}`)'
    return section
