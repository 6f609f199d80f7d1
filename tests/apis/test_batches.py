"""Several images through a model at a time."""

import numpy as np
import pytest
import torch

from mmris.apis import Predictor
from mmris.apis.attention import AttentionPredictor
from tests.apis.test_half_precision import METHODS, build
from tests.conftest import tiny_config

# Wide, high, small: letterboxed differently.
IMAGES = [
    np.random.default_rng(seed).integers(0, 255, (*size, 3), dtype=np.uint8)
    for seed, size in enumerate([(40, 60), (70, 30), (25, 25)])
]
SENTENCES = [['the red circle', 'left one'], 'the small blue star left of the big green square', ['left one']]
GENERALISED = 'cm_masksd/vit-small_shaperef_generalised'


def found_on(predictor: Predictor) -> list:
    """Two instances on the first image, none on the others."""
    masks = np.arange(2 * 40 * 60).reshape(2, 40, 60) % 60 < 30
    return [masks, None, None] if predictor.takes_instance_masks else [None] * 3


@pytest.mark.parametrize('name', [*METHODS, GENERALISED])
def test_images_together_are_as_one_by_one(name):
    predictor = build(name, Predictor)
    masks = found_on(predictor)
    alone = []
    for image, own, sentences in zip(IMAGES, masks, SENTENCES):
        predictor.set_image(image, own)
        alone.append(predictor.predict(sentences))
    passes = []
    hook = predictor.model.neck.register_forward_hook(lambda *_: passes.append(1))
    together = predictor.predict_batch(SENTENCES, predictor.encode(IMAGES, masks))
    hook.remove()
    assert len(passes) == 1, 'one pass for all'
    for one, other in zip(alone, together):
        assert one.sentences == other.sentences and np.array_equal(one.image, other.image)
        assert one.probabilities.std() > 1e-4
        assert np.abs(one.probabilities - other.probabilities).max() < 1e-5
        if one.existence is not None:
            assert np.abs(one.existence - other.existence).max() < 1e-5
    assert (together[0].existence is None) == (name != GENERALISED)


def test_one_of_a_batch_may_be_asked_alone():
    torch.manual_seed(0)
    predictor = Predictor(tiny_config(), device='cpu')
    images = predictor.encode(IMAGES)
    predictor.set_image(IMAGES[1])
    expected = predictor.predict(SENTENCES[1])
    assert np.abs(predictor.predict(SENTENCES[1], image=images[1]).probabilities - expected.probabilities).max() < 1e-5
    # In another order, with one that was encoded by itself, and one twice.
    asked = [images[2], predictor.set_image(IMAGES[1]), images[0], images[2]]
    found = predictor.predict_batch([SENTENCES[0], SENTENCES[1], SENTENCES[0], 'left one'], asked)
    assert [one.image.shape[:2] for one in found] == [(25, 25), (70, 30), (40, 60), (25, 25)]
    assert np.array_equal(found[1].probabilities, expected.probabilities)
    assert [len(one) for one in found] == [2, 1, 2, 1]


def test_a_single_image_has_the_same_bits():
    torch.manual_seed(0)
    predictor = Predictor(tiny_config(), device='cpu')
    predictor.set_image(IMAGES[0])
    found, = predictor.predict_batch([SENTENCES[0]], predictor.encode([IMAGES[0]]))
    assert np.array_equal(found.probabilities, predictor.predict(SENTENCES[0]).probabilities)


def test_attention_of_each_of_a_batch():
    torch.manual_seed(0)
    predictor = AttentionPredictor(tiny_config(), device='cpu')
    images = predictor.encode(IMAGES)
    for image, pixels in zip(images, IMAGES):
        alone = predictor.look('left one', image=predictor.set_image(pixels))
        for mine, theirs in zip(predictor.look('left one', image=image).maps, alone.maps):
            assert np.array_equal(mine.values, theirs.values)


def test_errors():
    predictor = Predictor(tiny_config(), device='cpu')
    images = predictor.encode(IMAGES[:2])
    with pytest.raises(ValueError, match='There is no image to encode'):
        predictor.encode([])
    with pytest.raises(ValueError, match='2 images came with 1 entries of instance masks: give one for each image'):
        predictor.encode(IMAGES[:2], [None])
    with pytest.raises(ValueError, match='2 images came with 1 entries of sentences: give the sentences of each image'):
        predictor.predict_batch(['left one'], images)
    with pytest.raises(ValueError, match='no sentence to predict for'):
        predictor.predict_batch(['left one', []], images)
    with pytest.raises(ValueError, match='takes what set_image returned, but got ndarray'):
        predictor.predict_batch(['left one', 'left one'], IMAGES[:2])
