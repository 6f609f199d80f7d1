"""Sentences that are asked again are not encoded again."""

import copy

import numpy as np
import pytest
import torch

from mmris.apis import Predictor, encoded_sentences
from mmris.structures import TensorStructure, TextEmbeddings
from mmris.utils.pretrained import forget_pretrained
from tests.conftest import tiny_config

IMAGE = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
CONFIGS = ['cm_masksd/vit-tiny_shaperef.py', 'shared_ris/tiny_shaperef.py', 'mail/tiny_shaperef.py',
           'risclip/ablations/shaperef_value-path.py', 'cris/rn-tiny_shaperef.py', 'detris/tiny_shaperef.py',
           'lavt/tiny_shaperef.py']


def build(config: str = CONFIGS[0]) -> Predictor:
    torch.manual_seed(0)
    settings = tiny_config(config)
    forget_pretrained(settings.model)
    predictor = Predictor(settings, device='cpu')
    predictor.set_image(IMAGE)
    return predictor


def count_sentences(predictor: Predictor) -> list:
    """How many sentences each later call of the encoder encodes."""
    counts, encode = [], predictor.model.encoder.encode_text

    def encode_and_count(embeddings: TextEmbeddings) -> TensorStructure:
        counts.append(len(embeddings.words))
        return encode(embeddings)

    predictor.model.encoder.encode_text = encode_and_count
    return counts


@pytest.mark.parametrize('config', CONFIGS)
def test_of_every_kind_of_encoder(config):
    predictor = build(config)
    counts = count_sentences(predictor)
    expected = predictor.predict(['the star', 'left one', 'the star']).probabilities
    assert counts == [2] and np.array_equal(expected[0], expected[2])
    again = predictor.predict(['left one', 'red circle', 'the star']).probabilities
    assert counts == [2, 1]
    assert np.abs(again[[2, 0]] - expected[:2]).max() < 1e-5
    predictor.set_image(IMAGE[::-1].copy())
    other = predictor.predict(['the star', 'left one']).probabilities
    assert counts == [2, 1], 'whatever the image'
    assert np.abs(other - expected[:2]).max() > 1e-6


def test_other_weights():
    """Loaded, changed in place, of another kind: nothing of the old ones is used."""
    predictor, sentences = build(), ['the star', 'left one']
    weights = copy.deepcopy(predictor.model.state_dict())
    first = predictor.predict(sentences).probabilities
    counts = count_sentences(predictor)
    predictor.model.load_state_dict(weights)
    predictor.predict(sentences)
    assert counts == [2]
    with torch.no_grad():
        for parameter in predictor.model.encoder.text.parameters():
            parameter.mul_(1.5)
    changed = predictor.predict(sentences).probabilities
    assert counts == [2, 2] and np.abs(changed - first).max() > 1e-4
    predictor.model.double()
    predictor.set_image(IMAGE)
    predictor.predict(sentences)
    assert counts == [2, 2, 2]


def test_weights_at_an_address_of_earlier_ones():
    """Replaced twice, so that the second may lie where the first did."""
    predictor = build()
    weight = predictor.model.encoder.text.clip.token_embedding.weight
    for _ in range(6):
        predictor.predict('the star')
        for _ in range(2):
            weight.data = weight.data * 1.5
        found = predictor.predict('the star').probabilities
        predictor._sentences = encoded_sentences.EncodedSentences(predictor._tokenizer)
        assert np.array_equal(found, predictor.predict('the star').probabilities)


def test_inference_mode_and_autocast():
    """A model that is built or converted in inference mode has weights without version."""
    with torch.inference_mode():
        predictor = build()
        expected = predictor.predict('the star').probabilities
    counts = count_sentences(predictor)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        predictor.set_image(IMAGE)
        assert np.abs(predictor.predict('the star').probabilities - expected).max() < 0.1
    predictor.set_image(IMAGE)
    assert np.abs(predictor.predict('the star').probabilities - expected).max() < 1e-6
    assert counts == [1, 1], 'under autocast and without'
    with torch.inference_mode():
        predictor.model.half()
        predictor.set_image(IMAGE)
        assert np.abs(predictor.predict('the star').probabilities - expected).max() < 0.1


def test_no_more_than_its_capacity(monkeypatch):
    """The sentence that was asked longest ago is forgotten; one call may ask for more than are kept."""
    monkeypatch.setattr(encoded_sentences, 'CAPACITY', 2)
    predictor = build()
    counts = count_sentences(predictor)
    for sentence in ('a', 'b', 'a', 'c', 'a', 'b'):
        predictor.predict(sentence)
    assert counts == [1, 1, 1, 1], 'a, b, c and b again'
    assert len(predictor.predict(['a', 'b', 'c', 'd', 'e'])) == 5


def test_many_sentences_in_chunks():
    predictor = build()
    predictor.model.max_expressions = 2
    counts = count_sentences(predictor)
    found = predictor.predict(['a', 'b', 'c', 'd', 'e']).probabilities
    assert counts == [2, 2, 1]
    assert np.abs(build().predict(['a', 'b', 'c', 'd', 'e']).probabilities - found).max() < 1e-5
