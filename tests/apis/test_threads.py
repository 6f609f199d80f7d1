"""One predictor, several images and several threads."""

import copy
import pickle
from threading import Barrier, Event, Thread
from typing import Callable, Dict

import numpy as np
import pytest
import torch

from mmris.apis import Predictor
from mmris.apis.attention import AttentionPredictor
from tests.conftest import tiny_config

SENTENCES = ['the star', 'left one']
# Of other sizes, so that probabilities of another image are seen by their shape.
IMAGES = {
    seed: np.random.default_rng(seed).integers(0, 255, (40 + seed, 60 - seed, 3), dtype=np.uint8) for seed in range(4)
}


@pytest.fixture(scope='module', params=[Predictor, AttentionPredictor])
def predictor(request) -> Predictor:
    torch.manual_seed(0)
    return request.param(tiny_config(), device='cpu')


@pytest.fixture(scope='module')
def expected(predictor) -> Dict[int, np.ndarray]:
    """The probabilities of each image, asked one after the other."""
    found = {}
    for name, image in IMAGES.items():
        predictor.set_image(image)
        found[name] = predictor.predict(SENTENCES).probabilities
    return found


def same(found: object, expected: np.ndarray) -> bool:
    """But for rounding: images differ by far more."""
    return isinstance(found, np.ndarray) and found.shape == expected.shape and np.abs(found - expected).max() < 1e-5


def in_threads(work: Callable[[int], object]) -> Dict[int, object]:
    """Do work for each image in a thread of its own; what it returned."""
    found = {}

    def run(name: int) -> None:
        # What conftest sets is the main thread's.
        torch.set_num_threads(1)
        try:
            found[name] = work(name)
        except Exception as error:
            found[name] = error

    threads = [Thread(target=run, args=(name, )) for name in IMAGES]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_threads_that_set_and_ask(predictor, expected):
    """All set their images before any of them asks."""
    barrier = Barrier(len(IMAGES))

    def work(name: int) -> np.ndarray:
        predictor.set_image(IMAGES[name])
        barrier.wait(60)
        assert np.array_equal(predictor.image, IMAGES[name])
        return predictor.predict(SENTENCES).probabilities

    for name, found in in_threads(work).items():
        assert same(found, expected[name]), found


def test_threads_that_do_both_again_and_again(predictor, expected):

    def work(name: int) -> bool:
        for _ in range(10):
            predictor.set_image(IMAGES[name])
            if not same(predictor.predict(SENTENCES).probabilities, expected[name]):
                return False
        return True

    assert in_threads(work) == dict.fromkeys(IMAGES, True)


def test_a_thread_that_has_set_none(predictor):
    predictor.set_image(IMAGES[0])
    for found in in_threads(lambda name: predictor.predict('the star').probabilities).values():
        assert isinstance(found, RuntimeError) and str(found) == (
            'There is no image yet: call set_image first, in this thread, or pass image=, what set_image returned in '
            'another.')


def test_images_are_kept(predictor, expected):
    """Asked in any order, of one thread or of several; the image that is set stays."""
    encoded = {name: predictor.set_image(image) for name, image in IMAGES.items()}
    for name in (2, 0, 3, 1, 2):
        assert np.array_equal(predictor.predict(SENTENCES, image=encoded[name]).probabilities, expected[name])
    assert np.array_equal(predictor.predict(SENTENCES).probabilities, expected[3])
    for name, found in in_threads(lambda name: predictor.predict(SENTENCES, image=encoded[name]).probabilities).items():
        assert same(found, expected[name])


def test_a_failure_leaves_the_image(predictor, expected):
    predictor.set_image(IMAGES[1])
    with pytest.raises(FileNotFoundError):
        predictor.set_image('nowhere.jpg')
    assert np.array_equal(predictor.predict(SENTENCES).probabilities, expected[1])


def test_what_an_encoded_image_is(predictor):
    given = IMAGES[1].copy()
    encoded = predictor.set_image(given)
    assert repr(encoded) in ('<EncodedImage of 41 x 59 pixels (height x width)>',
                             '<WatchedImage of 41 x 59 pixels (height x width)>')
    given[:] = 0
    assert np.array_equal(encoded.pixels, IMAGES[1]) and encoded.pixels is predictor.image
    assert encoded == encoded and encoded != predictor.set_image(IMAGES[1]) and encoded in {encoded}
    with pytest.raises(ValueError, match='read-only'):
        encoded.pixels[0, 0] = 0
    with pytest.raises(AttributeError):
        encoded.pixels = given


def test_what_is_no_encoded_image(predictor):
    with pytest.raises(ValueError, match='image= takes what set_image returned, but got str: call set_image with it'):
        predictor.predict('the star', image='photo.jpg')
    other = Predictor(tiny_config(), device='cpu').set_image(IMAGES[0])
    with pytest.raises(ValueError, match='The image was encoded by another model than this predictor\'s: call set_ima'):
        predictor.predict('the star', image=other)


@pytest.mark.parametrize('make', [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_copies(predictor, expected, make):
    """A copy has no image set: the model of the old one's is another."""
    predictor.set_image(IMAGES[0])
    twin = make(predictor)
    with pytest.raises(RuntimeError, match='There is no image yet'):
        twin.predict('the star')
    twin.set_image(IMAGES[0])
    assert np.array_equal(twin.predict(SENTENCES).probabilities, expected[0])


class TestWhereItLooks:

    @pytest.fixture(scope='class')
    def watching(self) -> AttentionPredictor:
        torch.manual_seed(0)
        return AttentionPredictor(tiny_config('shared_ris/tiny_shaperef.py'), device='cpu')

    def test_a_thread_that_predicts_meanwhile(self, watching):
        """While another has looked half way: what is read are not its weights."""
        mine, other = (watching.set_image(IMAGES[name]) for name in (0, 1))
        expected = watching.look('the star', image=mine)
        is_half_way, has_predicted, found = Event(), Event(), []

        def stop(*_: object) -> None:
            if not is_half_way.is_set():
                is_half_way.set()
                # In vain where the other has to wait.
                has_predicted.wait(0.5)

        handle = watching.model.head.register_forward_pre_hook(stop)
        thread = Thread(target=lambda: found.append(watching.look('the star', image=mine)))
        thread.start()
        is_half_way.wait(60)
        watching.predict('left one', image=other)
        has_predicted.set()
        thread.join()
        handle.remove()
        for one, theirs in zip(found[0].maps, expected.maps):
            assert same(one.values, theirs.values)
        assert not any(module._forward_pre_hooks for module in watching.model.modules())

    def test_threads_that_look_again_and_again(self, watching):
        encoded = {name: watching.set_image(image) for name, image in IMAGES.items()}
        expected = {name: watching.look('the star', image=image) for name, image in encoded.items()}

        def work(name: int) -> bool:
            for _ in range(4):
                found = watching.look('the star', image=encoded[name])
                if not all(same(one.values, two.values) for one, two in zip(found.maps, expected[name].maps)):
                    return False
            return True

        assert in_threads(work) == dict.fromkeys(IMAGES, True)

    def test_an_image_that_is_kept(self, watching):
        """Also where the image's own half is looked at while it is encoded."""
        torch.manual_seed(0)
        for predictor in (watching, AttentionPredictor(tiny_config(), device='cpu')):
            first = predictor.set_image(IMAGES[0])
            expected = predictor.look('the star')
            predictor.set_image(IMAGES[1])
            found = predictor.look('the star', image=first)
            for mine, theirs in zip(found.maps, expected.maps):
                assert np.array_equal(mine.values, theirs.values)

    def test_an_image_of_a_plain_predictor(self, watching):
        plain = Predictor(tiny_config('shared_ris/tiny_shaperef.py'), device='cpu')
        plain.model = watching.model
        with pytest.raises(ValueError, match='without a look at the weights: call set_image of an AttentionPredictor'):
            watching.look('the star', image=plain.set_image(IMAGES[0]))
