"""Text and ids out of files of strangers."""

import time

import pytest

from mmris.utils.ids import describe_id_difference, id_order, read_id, read_whole_number
from mmris.utils.text import shorten, to_well_formed


@pytest.mark.parametrize('text, expected', [
    ('the man', 'the man'),
    ('café 象 \U0001f600 \u2028', 'café 象 \U0001f600 \u2028'),
    ('a \ud83d', 'a \ufffd'),
    ('\ude00\ud83d', '\ufffd\ufffd'),
    ('\ud83d\ude00 b', '\U0001f600 b'),
    ('\ud83d\ud83d\ude00', '\ufffd\U0001f600'),
    ('caf\udce9', 'caf\ufffd'),
])
def test_half_characters(text, expected):
    assert to_well_formed(text) == expected
    expected.encode('utf-8')


def test_values_of_any_size_are_shown():
    nested = [1]
    for _ in range(60):
        nested = [nested, nested]
    start = time.monotonic()
    for value in (nested, 'x' * 10**7, 10**5000, [0.1] * 10**6, dict(size=[3, 4], counts='a' * 10**6), '\ud83d', None):
        shown = shorten(value)
        assert len(shown) <= 80
        shown.encode('utf-8')
    # The repr of the first alone would take longer than the universe has.
    assert time.monotonic() - start < 5
    assert shorten([1, 1, 5, 1, 5, 5]) == '[1, 1, 5, 1, 5, 5]'


@pytest.mark.parametrize('value, expected', [
    (9, 9), (9.0, 9), ('9', 9), ('-1', -1), ('0', 0), ('009', '009'), ('-0', '-0'), ('9.0', '9.0'), ('a', 'a'),
    (' 9', ' 9'), ('٩', '٩'), ('\ud83d', '\ufffd'), (9.5, None), (float('nan'), None), (float('inf'), None),
    (True, None), (None, None), ([9], None), (2**63, None), ('9' * 30, '9' * 30),
])
def test_ids_are_equal_if_their_values_are(value, expected):
    found = read_id(value)
    assert found == expected and type(found) is type(expected)


def test_whole_numbers():
    assert read_whole_number(30.0) == 30 and read_whole_number('30') is None


def test_ids_of_two_kinds_are_told_with_their_types():
    assert describe_id_difference('a', 9) == "The ids there are like 9 (a number), and this one is 'a' (text)"
    assert describe_id_difference(9, 'a') == "The ids there are like 'a' (text), and this one is 9 (a number)"
    assert describe_id_difference(9, 8) == describe_id_difference('a', 'b') == describe_id_difference(9, None) == ''


def test_any_mixture_of_ids_has_an_order():
    ids = [3, 'b', None, 1.5, 'a', (1, 2), 2]
    assert sorted(ids, key=id_order)[:5] == [1.5, 2, 3, 'a', 'b']
