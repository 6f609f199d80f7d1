"""Sentences as people give them to a predictor."""

import re

import numpy as np
import pytest

from mmris.apis.attention import AttentionPredictor
from mmris.prediction.sentences import read_sentences
from tests.conftest import tiny_config

HALF = 'the red \ud83d circle'
MENDED = 'the red \ufffd circle'


@pytest.fixture(scope='module')
def predictor() -> AttentionPredictor:
    predictor = AttentionPredictor(tiny_config(), device='cpu')
    predictor.set_image(np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8))
    return predictor


def test_forms():
    sentences = ['a', 'b']
    for given in (sentences, tuple(sentences), iter(sentences), np.array(sentences)):
        assert read_sentences(given) == sentences
    assert read_sentences('a') == ['a'] and read_sentences([]) == []


def test_half_characters(predictor):
    """Of JSON that was cut within an emoji, or of a command line that is not UTF-8."""
    assert read_sentences([HALF, '\ud83d\udd34']) == [MENDED, '\U0001f534']
    assert np.array_equal(predictor.predict(HALF).probabilities, predictor.predict(MENDED).probabilities)
    assert np.array_equal(predictor.predict(['a', HALF]).probabilities, predictor.predict(['a', MENDED]).probabilities)
    assert np.array_equal(predictor.look(HALF).prediction.probabilities, predictor.predict(MENDED).probabilities)
    assert predictor.read_words(HALF) == predictor.read_words(MENDED)


@pytest.mark.parametrize('sentences, message', [
    (None, 'Sentences are a string or a list of strings, but got None.'),
    (5, 'Sentences are a string or a list of strings, but got 5 (int).'),
    ({'a', }, "Sentences are a string or a list of strings, but got {'a'} (set)."),
    (dict(a='b'), "Sentences are a string or a list of strings, but got {'a': 'b'} (dict)."),
    (np.array('a'), 'Sentences are a string or a list of strings, but got array('),
    (b'the star', "A sentence is a string, but got b'the star' (bytes): call its decode()."),
    (['a', None], 'A sentence is a string, but sentence 2 of 2 is None.'),
    ([b'a', 'b', 'c'], "A sentence is a string, but sentence 1 of 3 is b'a' (bytes): call its decode()."),
    (['a', 3.5], 'A sentence is a string, but sentence 2 of 2 is 3.5 (float).'),
    ([['a', 'b']], "A sentence is a string, but sentence 1 of 1 is ['a', 'b'] (list)."),
])
def test_what_is_none(predictor, sentences, message):
    for method in (predictor.predict, predictor.read_words):
        with pytest.raises(ValueError, match=re.escape(message)):
            method(sentences)


@pytest.mark.parametrize('sentence, message', [
    (['the star', 'left one'], "One sentence is a string, but got ['the star', 'left one'] (list)."),
    (b'the star', "One sentence is a string, but got b'the star' (bytes): call its decode()."),
    (None, 'One sentence is a string, but got None.'),
])
def test_one_sentence_to_look_at(predictor, sentence, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        predictor.look(sentence)
