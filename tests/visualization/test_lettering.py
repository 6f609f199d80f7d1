"""Text of any language in pictures."""

import numpy as np
import pytest
from PIL import Image, features

from mmris.visualization.fonts import dejavu
from mmris.visualization.lettering import line_metrics, measure, wrap, write
from tests.visualization.made_fonts import make_coloured_font, make_font

pytestmark = pytest.mark.usefixtures('install', 'messages')
needs_raqm = pytest.mark.skipif(not features.check('raqm'), reason='Pillow does not find FriBiDi')
CHINESE = '左边的红色圆形，在绿色的大圆形（不是小的）旁边；它比较小。'
THAI = 'วงกลมสีแดงทางซ้ายของวงกลมสีเขียวขนาดใหญ่'


def picture(text: str, size: int = 40, mode: str = 'RGB') -> np.ndarray:
    """Text on white, 40 pixels high."""
    image = Image.new(mode, (400, 60), (255, ) * len(mode))
    write(image, (5, 5), text, size, (0, ) * 3 + (255, ) * (len(mode) - 3))
    return np.asarray(image)


def inked_columns(pixels: np.ndarray) -> np.ndarray:
    return np.flatnonzero((pixels < 128).any(axis=(0, 2)))


@pytest.mark.parametrize('text', [
    CHINESE, THAI, 'あかいまるのひだりがわにある大きな丸', 'الدائرة الحمراء في اليسار بجانب الدائرة الكبيرة',
    'Donaudampfschifffahrtsgesellschaftskapitän', 'iiiiiiiiiiiiiiiiiiiiiiiiii WWWWWWWWWWWW', '红色 red 圆形 circle' * 5,
    'e\u0301' * 60])
@pytest.mark.parametrize('width', [60, 130])
def test_lines_are_as_wide_as_they_may_be(text, width):
    """None is wider, nothing is lost, and the first word of a line, or letter where it has no words, fits none."""
    lines = wrap(text, 14, width)
    assert len(lines) > 1 and all(measure(line, 14) <= width for line in lines)
    assert ''.join(lines).replace(' ', '').strip('\u200e\u200f') == text.replace(' ', '')
    if ' ' not in text:
        assert all(measure(line, 14) > width - 45 for line in lines[:-1])


def test_short_text_is_one_line():
    assert wrap('red circle', 14, 400) == ['red circle'] and wrap('  ', 14, 400) == wrap('', 14, 400) == []


def test_no_line_begins_with_the_end_of_brackets_or_sentences():
    for width in range(30, 200, 7):
        lines = wrap(CHINESE, 14, width)
        assert not any(line[0] in '，。；）' for line in lines) and not any(line[-1] == '（' for line in lines)


def test_letters_are_not_torn():
    """Of what is several characters, such as an emoji of a family, or letters with accents."""
    family = '👨\u200d👩\u200d👧'
    assert wrap(family * 2, 14, 20) == [family, family]
    assert set(wrap('e\u0301' * 9, 14, 1)) == {'e\u0301'}


@pytest.mark.parametrize('text', [2 * CHINESE, THAI, 'red circle on the left of the green one', 'x' * 99, 'a ' * 99])
@pytest.mark.parametrize('most', [1, 2])
def test_text_that_is_cut_says_so(text, most):
    lines = wrap(text, 14, 120, most)
    assert len(lines) == most and lines[-1].endswith(' ...') and not any('...' in line for line in lines[:-1])
    assert all(measure(line, 14) <= 120 for line in lines)
    whole = ''.join(lines)[:-4].replace(' ', '')
    assert len(whole) > 3 and text.replace(' ', '').startswith(whole)


def test_cut_to_nothing():
    assert wrap('WWWW iiii', 14, 16, 1) == ['...'] and wrap('a', 14, 1, 1) == ['a']


def test_a_very_long_word_takes_no_long_time():
    lines = wrap('红' * 100_000 + 'x' * 100_000, 14, 200, 2)
    assert len(lines) == 2 and len(wrap('x' * 5_000, 14, 200)) > 100


@pytest.mark.parametrize('mode', ['RGB', 'RGBA'])
def test_control_characters_are_spaces_and_half_characters_one_sign(mode):
    assert np.array_equal(picture('a\tb\x1bc\u2028d\r\ne', mode=mode), picture('a b c d e', mode=mode))
    assert np.array_equal(picture('a\ud83d', mode=mode), picture('a\ufffd', mode=mode))
    assert measure('a\x00', 14) == measure('a ', 14)


@needs_raqm
def test_arabic_is_joined_and_hebrew_turned():
    letters = 'ببب'
    assert measure(letters, 40) < 0.8 * 3 * measure('ب', 40), 'joined letters are narrower'
    narrow, wide = 'ו', 'ש'
    turned = inked_columns(picture(wide + narrow))
    # The first letter is at the right: between it and the second, at the left, is a gap.
    gap = turned[np.flatnonzero(np.diff(turned) > 1)[0]]
    assert gap - turned[0] < turned[-1] - gap


@needs_raqm
@pytest.mark.parametrize('text, place', [
    ('ab 红', 'right'), ('红 ab', 'left'), ('אב 红', 'left'), ('红 אב', 'left'), ('ab אב 红', 'right'),
    ('אב ab 红', 'middle'), ('אב 12 红', 'left'), ('אב ab 红 12', 'middle'), ('\u200fab אב 红', 'left'),
    ('\u200f红 (אב', 'right')])
def test_letters_of_two_fonts_stand_in_the_order_of_their_line(tmp_path, install, text, place):
    """A bar stands for the ideograph: the only one of its height."""
    install(make_font(tmp_path / 'Made.ttf', '红', height=1500))
    pixels = picture(text, size=24)
    bar = inked_columns(pixels[:8])
    others = np.setdiff1d(inked_columns(pixels), np.arange(bar[0] - 1, bar[-1] + 2))
    assert 17 <= len(bar) <= 22 and len(others) > 20
    right_of_others, left_of_others = bar.min() > others.max(), bar.max() < others.min()
    assert (right_of_others, left_of_others) == (place == 'right', place == 'left')


def test_a_line_keeps_the_direction_of_its_text():
    lines = wrap('העיגול האדום left ליד', 14, 90)
    assert len(lines) == 2 and lines[1].startswith('\u200fleft')
    lines = wrap('the red circle האדום', 14, 110)
    assert lines == ['the red circle', '\u200eהאדום']


def test_emoji_in_their_colours(tmp_path, install):
    install(make_coloured_font(tmp_path / 'MadeEmoji.ttf', '🔴', (250, 10, 20)))
    assert 18 < measure('🔴', 20) < 22
    for mode in ('RGB', 'RGBA'):
        pixels = picture('a🔴b', mode=mode)[..., :3].astype(int)
        rows, columns = np.nonzero(np.abs(pixels - (250, 10, 20)).max(axis=2) < 8)
        assert 34 <= np.ptp(rows) <= 42 and 34 <= np.ptp(columns) <= 42 and len(rows) > 1200
        baseline = 5 + line_metrics(40)[0]
        assert abs(rows.max() - baseline) < 4, 'it stands on the line'


def test_what_no_font_has_is_a_box(messages):
    assert np.array_equal(picture('红'), picture('左')) and len(messages) == 1
    assert (picture('红') < 128).any() and measure('红', 14) == measure('\uffff', 14)
    assert dejavu().path.endswith('DejaVuSans.ttf')
