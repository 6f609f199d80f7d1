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


@pytest.mark.parametrize('kind, write', [('BEiT3Tokenizer', write_sentence_pieces),
                                         ('WordPieceTokenizer', write_word_pieces)])
def test_other_tokenizers(predictor, tmp_path, monkeypatch, kind, write):
    settings = dict(type=kind, context_length=6, vocabulary=write(tmp_path / 'vocabulary'))
    monkeypatch.setattr(predictor, '_tokenizer', TRANSFORMS.build(settings))
    assert predictor.read_words(['the red man on', 'the red man on the left of the bus', '']) == [
        ('the red man on', 6, True), ('the red man on', 6, False), ('', 2, True)
    ]
