"""Fonts of a few letters, so that tests find the same with any fonts installed or none."""

import io
from pathlib import Path
from typing import Sequence

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTCollection, TTFont, newTable
from fontTools.ttLib.tables.sbixGlyph import Glyph as Picture
from fontTools.ttLib.tables.sbixStrike import Strike
from PIL import Image

from mmris.visualization.fonts import FontFinder


def build(letters: str, family: str = 'Made Sans', *, height: int = 700, style: str = 'Regular') -> FontBuilder:
    """A font whose letters are all bars of a height in thousandths of its size, 800 wide of 1,000; 0 makes none."""
    builder = FontBuilder(1000, isTTF=True)
    names = {letter: f'u{ord(letter):X}' for letter in letters}
    builder.setupGlyphOrder(['.notdef', *names.values()])
    builder.setupCharacterMap({ord(letter): name for letter, name in names.items()})
    pen = TTGlyphPen(None)
    if height:
        pen.moveTo((100, 0))
        for corner in ((100, height), (900, height), (900, 0)):
            pen.lineTo(corner)
        pen.closePath()
    bar = pen.glyph()
    builder.setupGlyf({name: bar for name in ('.notdef', *names.values())})
    builder.setupHorizontalMetrics({name: (1000, 100) for name in ('.notdef', *names.values())})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable(dict(familyName=family, styleName=style))
    builder.setupOS2(sTypoAscender=800, sTypoDescender=-200, usWinAscent=800, usWinDescent=200)
    builder.setupPost()
    return builder


def make_font(path: Path, letters: str, **look: object) -> Path:
    """Write a font of bars."""
    build(letters, **look).save(path)
    return path


def make_collection(path: Path, letters: str, heights: dict) -> Path:
    """Write a file of several fonts, by family."""
    collection = TTCollection()
    for family, height in heights.items():
        content = io.BytesIO()
        build(letters, family, height=height).save(content)
        content.seek(0)
        collection.fonts.append(TTFont(content))
    collection.save(path)
    return path


def make_coloured_font(path: Path, letters: str, colour: tuple, size: int = 64) -> Path:
    """Write a font whose letters are pictures of one size, squares of a colour; it has no outlines that show."""
    builder = build(letters, 'Made Color Emoji', height=0)
    content = io.BytesIO()
    Image.new('RGB', (size, size), colour).save(content, 'PNG')
    strike = Strike(ppem=size, resolution=72)
    for letter in letters:
        name = f'u{ord(letter):X}'
        strike.glyphs[name] = Picture(glyphName=name, graphicType='png ', imageData=content.getvalue())
    table = newTable('sbix')
    table.version, table.flags, table.strikes = 1, 1, {size: strike}
    builder.font['sbix'] = table
    builder.save(path)
    return path


def finder_of(files: Sequence[Path]) -> FontFinder:
    """A finder of fonts in files alone."""
    return FontFinder([str(file) for file in files])
