"""Finding the font that has a letter."""

import matplotlib.font_manager
import numpy as np
import pytest
from PIL import features

from mmris.visualization import fonts, lettering
from mmris.visualization.fonts import Face, dejavu
from tests.visualization.made_fonts import finder_of, make_collection, make_coloured_font, make_font


def test_no_fonts_are_looked_for_where_dejavu_has_all(monkeypatch):
    monkeypatch.setattr(matplotlib.font_manager, 'findSystemFonts', lambda: pytest.fail('fonts were listed'))
    finder = fonts.FontFinder()
    for letter in ('a', 'é', 'щ', 'α', 'ب', 'א', '☺', 'e\u0301', 'a\u200d', '\u200f', '❤\ufe0f'):
        assert finder.face(letter) == dejavu(), letter


@pytest.mark.parametrize('letters, script, package', [
    ('红色，', 'Chinese characters (Han)', 'fonts-noto-cjk'),
    ('𪚥', 'rare Chinese characters', 'fonts-hanazono'),
    ('のカ', 'kana (Japanese)', 'fonts-noto-cjk'),
    ('한국', 'Hangul (Korean)', 'fonts-noto-cjk'),
    ('लवृ', 'Devanagari (Hindi and others)', 'fonts-noto-core'),
    ('ไท', 'Thai', 'fonts-noto-core'),
    ('မခ', 'Myanmar', 'fonts-noto-core'),
    ('\u20e3', 'Combining Diacritical Marks for Symbols', 'fonts-noto-core'),
    ('⌛🔴👍', 'emoji', 'fonts-noto-color-emoji'),
    ('𝒜', 'Mathematical Alphanumeric Symbols', 'fonts-noto-core'),
])
def test_each_script_without_a_font_is_told_once(messages, letters, script, package):
    finder = finder_of([])
    assert {finder.face(letter) for letter in 2 * letters} == {dejavu()}
    message, = messages
    assert message.startswith(f'No installed font has {script}: ') and message.endswith(f' apt-get install {package}')


def test_fonts_of_scripts(tmp_path):
    font = make_font(tmp_path / 'A.ttf', '红か')
    found = fonts.fonts_of_scripts(finder_of([font]))
    assert {script: path for script, (path, _) in found.items()} == {
        'Chinese characters (Han)': str(font), 'kana (Japanese)': str(font), 'Hangul (Korean)': None,
        'Devanagari (Hindi and others)': None, 'Thai': None, 'emoji': None}
    assert found['emoji'][1] == 'fonts-noto-color-emoji'


def test_what_unicode_does_not_know_is_not_told(messages):
    assert finder_of([]).face('\ue000') == finder_of([]).face('\U000e0fff') == dejavu() and not messages


def test_the_plainest_font_that_draws_the_letter(tmp_path, messages):
    """Not one of another style, one that is broken, or one that has the letter and draws nothing."""
    (tmp_path / 'A.ttf').write_bytes(b'no font')
    torn = make_font(tmp_path / 'AA.ttf', '红')
    torn.write_bytes(torn.read_bytes()[:600])
    make_font(tmp_path / 'B.ttf', '红', height=0)
    make_font(tmp_path / 'ABold.ttf', '红', style='Bold')
    make_font(tmp_path / 'ASerif.ttf', '红')
    plain = make_font(tmp_path / 'MadeSans.ttf', '红色')
    finder = finder_of([*sorted(tmp_path.iterdir()), tmp_path / 'gone.ttf'])
    assert finder.face('红') == finder.face('色') == Face(str(plain)) and not messages
    assert finder.face('左') == dejavu() and len(messages) == 1


def test_a_second_font_has_what_the_first_lacks(tmp_path, messages):
    small, large = make_font(tmp_path / 'Sans.ttf', '红'), make_font(tmp_path / 'SansToo.ttf', '红色')
    finder = finder_of([small, large])
    assert [finder.face(letter).path for letter in '红色红'] == [str(small), str(large), str(small)] and not messages


def test_accents_are_drawn_where_their_letter_is(tmp_path, messages):
    accent = '\u1dd0'
    marks = make_font(tmp_path / 'Marks.ttf', accent)
    assert finder_of([marks]).face(f'e{accent}') == dejavu() and len(messages) == 1
    whole = make_font(tmp_path / 'Whole.ttf', f'e{accent}')
    assert finder_of([marks, whole]).face(f'e{accent}').path == str(whole)
    letter = make_font(tmp_path / 'Letter.ttf', '红')
    assert finder_of([letter]).face(f'红{accent}').path == str(letter) and len(messages) == 1


def test_forms_of_the_region(tmp_path):
    path = make_collection(tmp_path / 'Made.ttc', '红', {'Made Mono SC': 1, 'Made JP': 2, 'Made SC': 3, 'Made KR': 4})
    finder = finder_of([path])
    assert [finder.face('红', region).index for region in ('SC', 'JP', 'KR', 'TC')] == [2, 1, 3, 0]


def test_text_says_the_region(tmp_path, install):
    heights = {'Made JP': 300, 'Made KR': 500, 'Made SC': 700}
    install(make_collection(tmp_path / 'Made.ttc', '红の한', heights))
    indices = [lettering._runs(text)[0].face.index for text in ('红', '红の', '红한')]
    assert indices == [2, 0, 1]


def test_many_letters_without_a_font_take_few_searches(tmp_path, monkeypatch, messages):
    """Of Chinese there are thousands, of installed fonts too."""
    path, opened, coverage = make_font(tmp_path / 'Made.ttf', 'x'), [], fonts._coverage
    monkeypatch.setattr(fonts, '_coverage', lambda path: opened.append(path) or coverage(path))
    finder = finder_of([path])
    for code in range(0x4e00, 0x5000):
        finder.face(chr(code))
    assert len(opened) < 20 and len(messages) == 1


def test_emoji_of_several_characters_and_their_font(tmp_path, messages):
    thumb, dark = '\U0001f44d', '\U0001f3ff'
    plain = make_font(tmp_path / 'MadeSans.ttf', thumb)
    coloured = make_coloured_font(tmp_path / 'MadeEmoji.ttf', thumb + dark, (255, 0, 0))
    finder = finder_of([plain, coloured])
    assert finder.face(thumb + dark) == finder.face(thumb) == Face(str(coloured), strike=64, coloured=True)
    assert finder.face(f'{thumb}\u200d{thumb}').path == str(coloured)
    assert finder.face('1\ufe0f\u20e3') == dejavu() and messages.pop().startswith('No installed font has emoji')
    finder = finder_of([plain, coloured])
    assert finder.face(thumb, scalable=True).path == str(plain) and not messages
    assert finder.face(dark, scalable=True) == dejavu()
    assert messages[0].endswith('apt-get install fonts-symbola')


@pytest.mark.skipif(not matplotlib.font_manager.findSystemFonts(), reason='no fonts are installed')
def test_installed_fonts_are_searched(messages):
    """Whatever they are: each letter is found or told."""
    finder = fonts.FontFinder()
    for letter in '红लไ🔴':
        assert (finder.face(letter) == dejavu()) == bool(messages)
        messages.clear()


def test_scripts_that_pillow_cannot_join_are_told_once(monkeypatch, messages, install):
    monkeypatch.setattr(features, 'check', lambda name: name != 'raqm')
    lettering._report_no_shaping.cache_clear()
    for text in ('الدائرة', 'العربية', 'red 丸'):
        lettering.measure(text, 14)
    assert [message.rpartition(' ')[2] for message in messages] == ['libfribidi0', 'fonts-noto-cjk']
    lettering._report_no_shaping.cache_clear()
    assert np.isfinite(lettering.measure('אב 红', 14))
