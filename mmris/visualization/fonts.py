"""Which font has the letters of a text: DejaVu Sans, which matplotlib brings, or else one of the system's."""

import re
import unicodedata
from functools import cache
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

from PIL import Image, ImageDraw, ImageFont

from mmris.utils.logs import log_warning

from .letters import is_emoji, is_variation_selector

# Searches for characters of one script that find nothing, after which the script is taken to have no font.
_MOST_SEARCHES = 8
# Pixels at which a font shows whether it draws a character.
_TRIAL_SIZE = 32
_SCRIPT_NAMES = dict(
    Hani='Chinese characters (Han)',
    Bopo='Bopomofo (Chinese)',
    Hira='kana (Japanese)',
    Kana='kana (Japanese)',
    Hang='Hangul (Korean)',
    Deva='Devanagari (Hindi and others)')
_EAST_ASIAN = ('Hani', 'Bopo', 'Hira', 'Kana', 'Hang')
# Follows a character that can be drawn as a letter or as an emoji, and asks for the emoji.
_AS_EMOJI = '\ufe0f'
# The code of unassigned characters and of those for private use. No package is known to have them.
_UNKNOWN = 'Zzzz'
_OTHER_STYLES = re.compile('bold|black|heavy|light|thin|medium|semi|demi|extra|condensed|italic|oblique', re.IGNORECASE)


class Face(NamedTuple):
    """A font in a file.

    Attributes:
        path (str): The file. Empty for the font that Pillow brings.
        index (int): Its place in a file of several fonts. Defaults to 0.
        strike (int): The size in pixels at which it has pictures of letters. Defaults to 0: it has outlines, which
            fit any size.
        coloured (bool): Whether it has colours of its own. Defaults to False.
    """

    path: str
    index: int = 0
    strike: int = 0
    coloured: bool = False


class Script(NamedTuple):
    """What characters have in common that one font usually has together.

    Attributes:
        name (str): What messages call it.
        package (str): The package of Debian and Ubuntu with a font for it.
    """

    name: str
    package: str


# A letter of each script that sentences are likely to have.
_SAMPLES = ('\u7ea2', '\u304b', '\ud55c', '\u0915', '\u0e01', '\U0001f600\ufe0f')
EMOJI = Script('emoji', 'fonts-noto-color-emoji')


PILLOWS_OWN = Face('')


@cache
def dejavu() -> Face:
    """DejaVu Sans as matplotlib brings it; without matplotlib Pillow's own font, which has few letters beyond ASCII."""
    # Here, so that whoever draws no text does not wait for it.
    try:
        from matplotlib import get_data_path
    except ImportError:
        return PILLOWS_OWN
    return Face(str(Path(get_data_path()) / 'fonts' / 'ttf' / 'DejaVuSans.ttf'))


@cache
def system_fonts() -> 'FontFinder':
    """The fonts of the system, with DejaVu Sans first; one a process, so that each message is logged once."""
    return FontFinder()


class FontFinder:
    """Finds fonts for what DejaVu Sans does not have.

    Args:
        files (Sequence[str], optional): Font files to search. Defaults to None: those that matplotlib finds on the
            system, listed when the first character asks for them.
    """

    def __init__(self, files: Optional[Sequence[str]] = None) -> None:
        self._files = files
        self._has: Dict[str, Callable[[str], bool]] = {}
        self._found: Dict[tuple, List[Face]] = {}
        self._searches: Dict[tuple, int] = {}
        self._missing: Set[tuple] = set()
        self._reported: Set[str] = set()

    def face(self, letter: str, region: str = 'SC', *, scalable: bool = False) -> Face:
        """Find the font of a letter.

        Args:
            letter (str): A character with what belongs to it, such as accents, or several that make one emoji.
            region (str): Whose forms Chinese characters take if a font has several: ``'SC'`` simplified Chinese,
                ``'TC'`` traditional Chinese, ``'JP'`` or ``'KR'``. Defaults to ``'SC'``.
            scalable (bool): Whether fonts with outlines alone will do, as in vector graphics. Defaults to False.

        Returns:
            Face: DejaVu Sans if it has the letter. Otherwise a font that has all of it, or else its first character.
            If there is none, DejaVu Sans, which draws a box; a message is logged once per script. Without
            matplotlib, which finds fonts, always :data:`PILLOWS_OWN`.
        """
        if dejavu() == PILLOWS_OWN:
            if not letter.isascii():
                self._report_no_fonts(letter)
            return PILLOWS_OWN
        missing = [character for character in letter if not self._can_draw(dejavu(), character)]
        if not missing:
            return dejavu()
        script = EMOJI if _AS_EMOJI in letter else script_of(missing[0])
        if script is None:
            return dejavu()
        kind = script, region, scalable
        whole = ''.join(character for character in letter if not _is_invisible(character))
        found = self._among_found(kind, whole) or self._search(kind, whole)
        if found is None and len(whole) > 1 and missing[0] == letter[0]:
            # Accents alone are no reason to take a font that lacks what they stand on.
            found = self._among_found(kind, missing[0]) or self._search(kind, missing[0])
        if found is None:
            self._report(script, missing[0], scalable)
        return found or dejavu()

    def _can_draw(self, face: Face, character: str) -> bool:
        if face.path not in self._has:
            self._has[face.path] = _coverage(face.path)
        return _is_invisible(character) or self._has[face.path](character)

    def _among_found(self, kind: tuple, letter: str) -> Optional[Face]:
        return next((face for face in self._found.get(kind, ())
                     if all(self._can_draw(face, character) for character in letter)), None)

    def _search(self, kind: tuple, letter: str) -> Optional[Face]:
        script, region, scalable = kind
        given_up = self._searches.get(kind, 0) >= _MOST_SEARCHES and kind not in self._found
        if given_up or (kind, letter) in self._missing:
            return None
        for path in self._ordered(script, region):
            has = _coverage(path)
            if all(has(character) for character in letter):
                face = _describe(path, region)
                if face is not None and not (scalable and face.coloured) and _draws(face, letter):
                    self._found.setdefault(kind, []).append(face)
                    return face
        self._searches[kind] = self._searches.get(kind, 0) + 1
        self._missing.add((kind, letter))
        return None

    def _ordered(self, script: Script, region: str) -> List[str]:
        """All files, those first whose names promise a plain style, and forms of the region."""
        if self._files is None:
            from matplotlib.font_manager import findSystemFonts
            self._files = findSystemFonts()

        def rank(path: str) -> tuple:
            name = Path(path).stem.lower()
            return (('emoji' in name) != (script == EMOJI), 'lastresort' in name, bool(_OTHER_STYLES.search(name)),
                    'sans' not in name, 'mono' in name, region.lower() not in name, len(name), path)

        return sorted(self._files, key=rank)

    def _report(self, script: Script, character: str, scalable: bool) -> None:
        if script.name in self._reported:
            return
        self._reported.add(script.name)
        # matplotlib draws no pictures of letters, which is what fonts of coloured emoji have.
        package = 'fonts-symbola' if scalable and script == EMOJI else script.package
        log_warning(
            f'No installed font has {script.name}: pictures show boxes in place of {character!r} and others. Install '
            f'a font that has them. On Debian and Ubuntu: apt-get install {package}')

    def _report_no_fonts(self, letter: str) -> None:
        if 'matplotlib' not in self._reported:
            self._reported.add('matplotlib')
            log_warning(f'Pictures may show boxes in place of {letter!r} and others, since Pillow\'s own font has few '
                        f'letters beyond ASCII. Install matplotlib, which finds fonts: pip install matplotlib')


def fonts_of_scripts(finder: Optional[FontFinder] = None) -> Dict[str, Tuple[Optional[str], str]]:
    """Find the fonts of some scripts that DejaVu Sans does not have.

    Args:
        finder (FontFinder, optional): Where to look. Defaults to None: the fonts of the system.

    Returns:
        dict[str, tuple]: By what messages call a script: the file of its font, None if there is none, and the package
        of Debian and Ubuntu with one.
    """
    finder = finder or system_fonts()
    found = {letter: finder.face(letter) for letter in _SAMPLES}
    scripts = {letter: EMOJI if _AS_EMOJI in letter else script_of(letter) for letter in _SAMPLES}
    return {
        scripts[letter].name: (None if face == dejavu() else face.path, scripts[letter].package)
        for letter, face in found.items()
    }


def script_of(character: str) -> Optional[Script]:
    """Tell what a character that DejaVu Sans lacks is part of; None for one that Unicode does not know."""
    from fontTools import unicodedata as scripts
    code = scripts.script(character)
    if code == _UNKNOWN:
        return None
    if is_emoji(character):
        return EMOJI
    if code in ('Zyyy', 'Zinh'):
        # Punctuation and symbols: of East Asia, or else what their block is called.
        if unicodedata.east_asian_width(character) not in 'WFH':
            return Script(scripts.block(character), 'fonts-noto-core')
        code = 'Hani'
    if code == 'Hani' and ord(character) > 0xffff:
        return Script('rare Chinese characters', 'fonts-hanazono')
    name = _SCRIPT_NAMES.get(code) or scripts.script_name(code)
    return Script(name, 'fonts-noto-cjk' if code in _EAST_ASIAN else 'fonts-noto-core')


def _is_invisible(character: str) -> bool:
    """Whether a character only says how others are drawn: joiners, marks of direction, variation selectors."""
    return unicodedata.category(character) == 'Cf' or is_variation_selector(character)


def _coverage(path: str) -> Callable[[str], bool]:
    """A test whether a font file has a character; none of them if the file cannot be read."""
    # Ten times faster than fontTools.
    from matplotlib.ft2font import FT2Font
    try:
        font = FT2Font(path)
    except (OSError, RuntimeError):
        return lambda character: False
    return lambda character: font.get_char_index(ord(character)) > 0


def _describe(path: str, region: str) -> Optional[Face]:
    """The face of a file that is of a region, or its first; None if the file is broken."""
    from fontTools.ttLib import TTFont
    try:
        index = _index_of(path, region) if path.lower().endswith('.ttc') else 0
        with TTFont(path, fontNumber=index, lazy=True) as font:
            coloured = any(table in font for table in ('CBDT', 'sbix', 'COLR'))
            return Face(path, index, _strike(font), coloured)
    except Exception:
        # Besides TTLibError, fontTools lets through whatever a broken file leads to.
        return None


def _index_of(path: str, region: str) -> int:
    from fontTools.ttLib import TTCollection
    with TTCollection(path, lazy=True) as collection:
        families = [(font['name'].getBestFamilyName() or '').split() for font in collection]
    return next((index for index, words in enumerate(families) if region in words and 'Mono' not in words), 0)


def _strike(font: 'TTFont') -> int:  # noqa: F821
    """The largest size of a font's pictures of letters in colours; 0 if it has none. What outlines it has are empty."""
    if 'CBLC' in font:
        return max(strike.bitmapSizeTable.ppemY for strike in font['CBLC'].strikes)
    return max(font['sbix'].strikes) if 'sbix' in font else 0


def _draws(face: Face, letter: str) -> bool:
    """Whether Pillow makes a picture of a letter: of some formats of coloured fonts it makes none."""
    try:
        font = ImageFont.truetype(face.path, face.strike or _TRIAL_SIZE, index=face.index)
    except OSError:
        return False
    picture = Image.new('L' if not face.coloured else 'RGBA', (2 * int(font.size), 2 * int(font.size)))
    ImageDraw.Draw(picture).text((int(font.size) // 2, 0), letter, fill='white', font=font,
                                 embedded_color=face.coloured)
    return picture.getbbox() is not None
