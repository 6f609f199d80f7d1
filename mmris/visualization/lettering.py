"""Text of any language in pictures: measured, broken into lines and drawn with the fonts that have its letters."""

import unicodedata
from collections import deque
from functools import cache, lru_cache
from itertools import groupby
from typing import List, NamedTuple, Optional, Sequence, Tuple

from PIL import Image, ImageDraw, ImageFont, features

from mmris.utils.logs import log_warning
from mmris.utils.terminal import one_line

from .fonts import PILLOWS_OWN, Face, dejavu, system_fonts
from .letters import region_of, split_letters, split_pieces

Colour = Tuple[int, ...]

# A word of more letters is broken without asking whether it fits.
_LONGEST_WORD = 500
_RIGHT_TO_LEFT, _NUMBERS = ('R', 'AL'), ('EN', 'AN')
# Invisible letters that are read from left to right, and from right to left.
_MARKS = '\u200e', '\u200f'


class _Run(NamedTuple):
    """Letters side by side that one font has, and that are read in one direction.

    Attributes:
        text (str): In the order of reading.
        face (Face): The font.
        direction (str, optional): ``'ltr'`` or ``'rtl'``; None leaves it to Pillow.
    """

    text: str
    face: Face
    direction: Optional[str] = None


def measure(text: str, size: int) -> float:
    """The width of text on one line.

    Args:
        text (str): Any string; see :func:`mmris.utils.terminal.one_line`.
        size (int): Of the font, in pixels.

    Returns:
        float: In pixels.
    """
    return sum(_length(run, size) for run in _runs(text))


def wrap(text: str, size: int, width: float, most: Optional[int] = None, placeholder: str = ' ...') -> List[str]:
    """Break text into lines: between words, between ideographs, and within a word that is wider than a line.

    Args:
        text (str): Any string.
        size (int): Of the font, in pixels.
        width (float): Of a line, in pixels. One letter stands on a line however wide it is.
        most (int, optional): Lines after which the text is cut. Defaults to None: as many as it needs.
        placeholder (str): Ends the last line of a text that is cut. Defaults to ``' ...'``.

    Returns:
        list[str]: The lines; none of a text without letters. A line that would be read in another direction than the
        whole text begins with an invisible mark of the text's direction.
    """
    text = one_line(text).strip()
    lines = _break(text, size, width, most, placeholder)
    if text.isascii():
        return lines
    turned = _is_turned(text)
    return [line if _is_turned(line) == turned else _MARKS[turned] + line for line in lines]


def _break(text: str, size: int, width: float, most: Optional[int], placeholder: str) -> List[str]:
    pieces = deque(split_pieces(text))
    lines: List[List[str]] = [[]]
    while pieces:
        piece, line = pieces.popleft(), lines[-1]
        fits = len(piece) <= _LONGEST_WORD and measure(''.join([*line, piece]).rstrip(), size) <= width
        if fits:
            line.extend([piece] if line or not piece.isspace() else [])
        elif len(letters := split_letters(piece)) > 1 and (len(piece) > _LONGEST_WORD
                                                             or measure(piece, size) > width):
            pieces.extendleft(reversed(letters))
        elif not line:
            line.append(piece)
        elif most is not None and len(lines) == most:
            return [*map(_join, lines[:-1]), _cut(line, size, width, placeholder)]
        else:
            lines.append([])
            pieces.appendleft(piece)
    return [_join(line) for line in lines if line]


def _join(line: Sequence[str]) -> str:
    return ''.join(line).rstrip()


def _cut(line: List[str], size: int, width: float, placeholder: str) -> str:
    """As many pieces of a line as leave room for the placeholder behind them."""
    while line and (line[-1].isspace() or measure(_join(line) + placeholder, size) > width):
        *line, last = line
        line = line or split_letters(last)[:-1]
    return _join(line) + placeholder if line else placeholder.strip()


def write(image: Image.Image, place: Tuple[float, float], text: str, size: int, colour: Colour) -> None:
    """Draw text on one line into an image.

    Args:
        image (Image): RGB or RGBA; changed.
        place (tuple[float, float]): The left end and the top of a line of DejaVu Sans, in pixels.
        text (str): Any string.
        size (int): Of the font, in pixels.
        colour (tuple[int, ...]): Of letters that have no colours of their own.
    """
    draw, (x, y) = ImageDraw.Draw(image), place
    baseline = y + line_metrics(size)[0]
    for run in _runs(text):
        if run.face.strike:
            _paste_pictures(image, (x, baseline), run, size)
        elif run.face.coloured:
            draw.text((x, baseline), run.text, colour, _font(run.face, size), 'ls', direction=run.direction,
                      embedded_color=True)
        else:
            draw.text((x, baseline), run.text, colour, _font(run.face, size), 'ls', direction=run.direction)
        x += _length(run, size)


def line_metrics(size: int) -> Tuple[int, int]:
    """How far a line of DejaVu Sans reaches above and below its baseline, in pixels."""
    return _font(dejavu(), size).getmetrics()


def needs_pictures(text: str) -> bool:
    """Whether text has letters that their font has as pictures or in colours, such as emoji."""
    return any(run.face.strike or run.face.coloured for run in _runs(text))


def outline_faces(text: str) -> List[Face]:
    """The fonts with outlines that text needs beside DejaVu Sans, in the order of their first letters."""
    text = one_line(text)
    if text.isascii():
        return []
    region = region_of(text)
    faces = [system_fonts().face(letter, region, scalable=True) for letter in split_letters(text)]
    return [face for face in dict.fromkeys(faces) if face != dejavu()]


@cache
def _font(face: Face, size: int) -> ImageFont.FreeTypeFont:
    if face == PILLOWS_OWN:
        return ImageFont.load_default(size)
    return ImageFont.truetype(face.path, face.strike or size, index=face.index)


def _length(run: _Run, size: int) -> float:
    scale = size / run.face.strike if run.face.strike else 1
    return scale * _font(run.face, size).getlength(run.text, direction=run.direction)


def _paste_pictures(image: Image.Image, place: Tuple[float, float], run: _Run, size: int) -> None:
    """Draw a run whose font has pictures of one size, given its left end and its baseline."""
    font, scale = _font(run.face, size), size / run.face.strike
    left, top, right, bottom = map(round, font.getbbox(run.text, anchor='ls', direction=run.direction))
    if left >= right or top >= bottom:
        return
    large = Image.new('RGBA', (right - left, bottom - top))
    ImageDraw.Draw(large).text((-left, -top), run.text, font=font, anchor='ls', direction=run.direction,
                               embedded_color=True)
    small = large.resize((max(1, round(scale * large.width)), max(1, round(scale * large.height))),
                         Image.Resampling.LANCZOS)
    corner = round(place[0] + scale * left), round(place[1] + scale * top)
    if image.mode == 'RGBA':
        image.alpha_composite(small, (max(0, corner[0]), max(0, corner[1])))
    else:
        image.paste(small, corner, small)


@lru_cache(maxsize=4096)
def _runs(text: str) -> Tuple[_Run, ...]:
    """The runs of a line from left to right, each to be drawn by itself."""
    text = one_line(text)
    if text.isascii():
        return (_Run(text, dejavu()), ) if text else ()
    _check_shaping(text)
    letters, region = split_letters(text), region_of(text)
    faces = [system_fonts().face(letter, region) for letter in letters]
    if set(faces) == {dejavu()}:
        # Pillow orders the directions within a run itself.
        return (_Run(text, dejavu()), )
    turned, sides = _sides(letters)
    blocks = []
    for side, members in groupby(zip(sides, faces, letters), key=lambda member: member[0]):
        runs = [_Run(''.join(letter for _, _, letter in run), face, _direction(side))
                for face, run in groupby(members, key=lambda member: member[1])]
        blocks.append(runs[::-1] if side else runs)
    return tuple(run for block in (blocks[::-1] if turned else blocks) for run in block)


def _side(character: str) -> Optional[bool]:
    """Whether a character is read from right to left; None if that depends on its neighbours."""
    kind = unicodedata.bidirectional(character)
    return True if kind in _RIGHT_TO_LEFT else False if kind == 'L' else None


def _is_turned(text: str) -> bool:
    """Whether a line is read from right to left: its first letter with a direction says so."""
    return next((side for side in map(_side, text) if side is not None), False)


def _sides(letters: Sequence[str]) -> Tuple[bool, List[bool]]:
    """Whether a line is read from right to left, and each of its letters.

    As the bidirectional algorithm of Unicode has it for text without marks of direction: numbers go with the letters
    before them, and what has no direction with its neighbours, if these agree, or else with the line.
    """
    strong, turned = [_side(letter[0]) for letter in letters], _is_turned(''.join(letters))
    before, last = [], turned
    for place, side in enumerate(strong):
        if side is None and unicodedata.bidirectional(letters[place][0]) in _NUMBERS:
            side = strong[place] = last
        last = last if side is None else side
        before.append(last)
    sides, following = [], turned
    for side, previous in zip(reversed(strong), reversed(before)):
        following = following if side is None else side
        sides.append(side if side is not None else previous if previous == following else turned)
    return turned, sides[::-1]


def _direction(right_to_left: bool) -> Optional[str]:
    if not features.check('raqm'):
        return None
    return 'rtl' if right_to_left else 'ltr'


def _check_shaping(text: str) -> None:
    """Log once if text needs letters joined or turned, and Pillow cannot."""
    if not features.check('raqm') and any(
            unicodedata.bidirectional(one) in _RIGHT_TO_LEFT or unicodedata.category(one) == 'Mc' for one in text):
        _report_no_shaping()


@cache
def _report_no_shaping() -> None:
    log_warning(
        'Pictures show Arabic, Hebrew, Hindi and similar scripts with letters apart or in the wrong order: Pillow does '
        'not find FriBiDi. On Debian and Ubuntu: apt-get install libfribidi0')
