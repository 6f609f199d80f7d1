"""What a model reads of a sentence."""

import pytest

from mmris.apis import Predictor
from mmris.registry import TRANSFORMS
from tests.conftest import tiny_config
from tests.datasets.test_beit3_tokenizer import write_vocabulary as write_sentence_pieces
from tests.datasets.test_word_piece_tokenizer import write_vocabulary as write_word_pieces


@pytest.fixture(scope='module')
def predictor() -> Predictor:
    """It reads 16 tokens."""
    return Predictor(tiny_config(), device='cpu')


def test_a_sentence_that_is_too_long(predictor):
    kept, = predictor.read_words('red ' * 14)
    assert kept == ('red ' * 13 + 'red', 16, True), 'just full'
    cut, short = predictor.read_words(['red ' * 14 + 'circle', 'The star'])
    assert cut == (kept.words, 16, False) and short == ('the star', 4, True)


def test_a_sentence_that_is_cut_within_a_word(predictor):
    read, = predictor.read_words('red ' * 13 + 'xqzkwv')
    assert not read.whole and read.words.startswith('red ' * 13 + 'x') and not read.words.endswith('xqzkwv')


def test_a_tokenizer_that_pads_to_the_longest(predictor, monkeypatch):
    """Of sentences that are short, just full, and cut: alone and together."""
    settings = dict(type='CLIPTokenizer', context_length=6, pad_to_longest=True)
    monkeypatch.setattr(predictor, '_tokenizer', TRANSFORMS.build(settings))
    expected = [('red', 3, True), ('red ' * 3 + 'red', 6, True), ('red ' * 3 + 'red', 6, False)]
    sentences = ['red', 'red ' * 4, 'red ' * 5]
    assert predictor.read_words(sentences) == expected
    assert [predictor.read_words(sentence)[0] for sentence in sentences] == expected
    assert predictor.read_words([]) == []


@pytest.mark.parametrize('kind, write', [('BEiT3Tokenizer', write_sentence_pieces),
                                         ('WordPieceTokenizer', write_word_pieces)])
def test_other_tokenizers(predictor, tmp_path, monkeypatch, kind, write):
    settings = dict(type=kind, context_length=6, vocabulary=write(tmp_path / 'vocabulary'))
    monkeypatch.setattr(predictor, '_tokenizer', TRANSFORMS.build(settings))
    assert predictor.read_words(['the red man on', 'the red man on the left of the bus', '']) == [
        ('the red man on', 6, True), ('the red man on', 6, False), ('', 2, True)
    ]


def test_a_tokenizer_that_does_not_keep_the_end(predictor, tmp_path, monkeypatch):
    """A sentence may fill its row without [SEP] and yet be read whole."""
    settings = dict(
        type='WordPieceTokenizer', context_length=6, keep_end=False,
        vocabulary=write_word_pieces(tmp_path / 'vocabulary'))
    monkeypatch.setattr(predictor, '_tokenizer', TRANSFORMS.build(settings))
    assert predictor.read_words(['the red man on', 'the red man on top', 'the red man on top of']) == [
        ('the red man on', 6, True), ('the red man on top', 6, True), ('the red man on top', 6, False)
    ]
