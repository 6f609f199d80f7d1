"""What is kept of visitors, and for how long."""

import numpy as np
import pytest

from mmris.web import Limits
from mmris.web.sessions import Sessions


def fill(sessions: Sessions, key: str, pixels: int) -> None:
    session = sessions.open(key)
    session.pixels = np.zeros((1, pixels, 3), dtype=np.uint8)
    (session.folder / 'file').touch()
    sessions.trim()


@pytest.fixture
def make(tmp_path):
    return lambda **limits: Sessions(tmp_path, Limits(**limits))


def test_each_has_its_own(make):
    sessions = make()
    fill(sessions, 'a', 5)
    assert sessions.open('b').pixels is None and sessions.open('a').pixels.shape == (1, 5, 3)
    assert sessions.open('a').folder != sessions.open('b').folder


def test_a_number_of_visitors(make, tmp_path):
    """The one who did nothing for the longest time goes."""
    sessions = make(visitors=2)
    for key in ('a', 'b', 'a', 'c'):
        fill(sessions, key, 5)
    assert len(sessions) == 2 and len(list(tmp_path.iterdir())) == 2
    assert sessions.open('a').pixels is not None and sessions.open('b').pixels is None


def test_who_is_being_answered_stays(make):
    sessions = make(visitors=1)
    with sessions.open('a').lock:
        fill(sessions, 'b', 5)
        fill(sessions, 'c', 5)
        assert len(sessions) == 2
    fill(sessions, 'c', 5)
    assert len(sessions) == 1 and sessions.open('c').pixels is not None


def test_memory(make):
    sessions = make(memory=100)
    fill(sessions, 'a', 20)
    fill(sessions, 'b', 20)
    assert len(sessions) == 1 and sessions.open('b').pixels is not None
    fill(sessions, 'c', 1000)
    assert len(sessions) == 1 and sessions.open('c').memory == 3000


def test_a_visitor_leaves(make, tmp_path):
    sessions = make()
    fill(sessions, 'a', 5)
    sessions.close('a')
    sessions.close('a')
    assert len(sessions) == 0 and not list(tmp_path.iterdir())


def test_names_of_folders_cannot_be_guessed(make):
    one = make()
    first, second = one.open('a').folder.name, one.open('b').folder.name
    assert len(first) >= 32 and first != second
