"""Letters and pieces of text, with the regex package and without it."""

import importlib
import sys

import pytest

from mmris.visualization import letters


@pytest.fixture(params=['regex', None])
def module(request, monkeypatch):
    if request.param is None:
        monkeypatch.setitem(sys.modules, 'regex', None)
    yield importlib.reload(letters)
    monkeypatch.undo()
    importlib.reload(letters)


def test_both_ways(module):
    assert module.split_pieces('the red  circle') == ['the', ' ', 'red', '  ', 'circle']
    assert module.split_pieces('红色，圆 x') == ['红', '色，', '圆', ' ', 'x']
    assert module.split_letters('Zoë\n') == ['Z', 'o', 'ë', '\n']
    assert [module.region_of(text) for text in ('红', '赤い', '빨간 红', 'red')] == ['SC', 'JP', 'KR', 'SC']
    assert module.is_emoji('\U0001f600') and not module.is_emoji('a')
    assert module.is_variation_selector('\ufe0f') and not module.is_variation_selector('\ufe10')
    text = 'the 红色 circle, 빨간 원 \U0001f600\ufe0f!'
    assert ''.join(module.split_pieces(text)) == ''.join(module.split_letters(text)) == text


def test_letters_of_several_characters():
    assert letters.split_letters('e\u0301\U0001f469\u200d\U0001f469') == ['e\u0301', '\U0001f469\u200d\U0001f469']
