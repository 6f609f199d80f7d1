"""What the page does for visitors, without a page."""

import gc
import io
import json
import weakref
from html import unescape

import numpy as np
import pytest
import torch
from PIL import Image

from mmris.apis import Predictor
from mmris.web import Limits, Models
from mmris.web.service import Service
from tests.conftest import tiny_config


def picture(seed: int = 0, width: int = 40, height: int = 30) -> bytes:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, 'PNG')
    return buffer.getvalue()


@pytest.fixture(scope='module')
def predictor() -> Predictor:
    """Of random weights, with an existence head."""
    torch.manual_seed(0)
    return Predictor(tiny_config('cm_masksd/vit-small_shaperef_generalised.py'), device='cpu')


@pytest.fixture
def calls(predictor, monkeypatch) -> list:
    """The runs of the model, as they come."""
    made = []
    for name in ('encode_images', 'segment'):
        whole = getattr(predictor.model, name)
        monkeypatch.setattr(
            predictor.model, name,
            lambda *arguments, _name=name, _whole=whole: made.append(_name) or _whole(*arguments), raising=False)
    return made


@pytest.fixture
def service(predictor, tmp_path) -> Service:
    loaders = {'one': lambda: predictor, 'same': lambda: predictor}
    return Service(Models(loaders), tmp_path, Limits(sentences=3, letters=60))


def test_a_picture_is_encoded_once_for_each_model(service, calls):
    service.take('a', picture(), 'photo.png')
    for text in ('the star', 'left one\nright one', 'the star'):
        service.ask('a', 'one', text)
    assert calls.count('encode_images') == 1 and calls.count('segment') == 3
    service.ask('a', 'same', 'the star')
    service.ask('a', 'one', 'the star')
    assert calls.count('encode_images') == 2
    service.take('a', picture(1), 'photo.png')
    service.ask('a', 'one', 'the star')
    assert calls.count('encode_images') == 3


def test_thresholds_need_no_model(service, predictor, calls):
    service.take('a', picture(), 'photo.png')
    first = service.ask('a', 'one', 'the star')
    assert (first.threshold, first.existence_threshold) == (predictor.protocol.threshold, predictor.existence_threshold)
    del calls[:]
    nothing, low, high = (service.redraw('a', *pair) for pair in ((0.01, 0.99), (0.01, 0.01), (0.9, 0.01)))
    assert calls == []
    assert 'nothing in the picture fits' in nothing.text and '100.0% of the image' in low.text
    assert (high.threshold, high.existence_threshold) == (0.9, 0.01) and '100.0%' not in high.text
    pictures = [np.asarray(Image.open(shown.picture)) for shown in (low, high)]
    assert not np.array_equal(*pictures)
    # They hold for further sentences, also of the same model alone.
    assert service.ask('a', 'one', 'left one').threshold == 0.9
    assert service.ask('a', 'same', 'left one').threshold == predictor.protocol.threshold


def test_as_the_predictor_answers(service, predictor):
    """Files are those of its prediction, by the thresholds on the page."""
    service.take('a', picture(), 'photo.png')
    service.ask('a', 'one', '  the star \n\nleft one')
    service.redraw('a', 0.45, 0.01)
    files = service.save('a')
    assert [path.name for path in files] == ['photo_1_mask.png', 'photo_2_mask.png', 'photo_overlay.png', 'photo.json']
    wanted = predictor.predict(['the star', 'left one'], image=predictor.set_image(picture())).with_threshold(
        0.45).with_existence_threshold(0.01)
    for path, mask in zip(files, wanted.masks):
        assert np.array_equal(np.asarray(Image.open(path)) == 255, mask)
    written = json.loads(files[-1].read_text())
    assert (written['threshold'], written['existence_threshold']) == (0.45, 0.01)
    assert [one['area'] for one in written['predictions']] == wanted.areas.tolist()


def test_visitors_keep_their_own(service):
    service.take('a', picture(0, 40, 30), 'one.png')
    service.take('b', picture(1, 20, 50), 'other.png')
    service.ask('a', 'one', 'the star')
    service.ask('b', 'one', 'the cross')
    sizes = [json.loads(service.save(key)[-1].read_text()) for key in ('a', 'b')]
    assert [(one['width'], one['height'], one['predictions'][0]['sentence']) for one in sizes] == [
        (40, 30, 'the star'), (20, 50, 'the cross')]
    service.leave('a')
    with pytest.raises(ValueError, match='There is no picture'):
        service.save('a')
    assert service.save('b')


def test_nothing_stays_of_a_visitor_who_leaves(service, tmp_path):
    service.take('a', picture(), 'photo.png')
    service.ask('a', 'one', 'the star')
    session = service.sessions.open('a')
    kept = [weakref.ref(session.pixels), weakref.ref(session.encoded['one']), weakref.ref(session.answer.prediction)]
    del session
    service.leave('a')
    gc.collect()
    assert [one() for one in kept] == [None] * 3 and not list(tmp_path.iterdir())


def test_text_of_visitors_is_escaped(service):
    service.take('a', picture(), 'photo.png')
    text = service.ask('a', 'one', '<script>alert("1")</script>').text
    assert '<script>' not in text and '<script>alert("1")</script>' in unescape(text)


def test_a_long_sentence_says_what_was_read(service):
    service.take('a', picture(), 'photo.png')
    long = ' '.join(['one'] * 15)
    assert 'too long for the model, which read only: one one' in service.ask('a', 'one', long).text
    assert 'too long' not in service.ask('a', 'one', 'a star').text


@pytest.mark.parametrize('text, message', [
    ('\n  \n', 'Write what to look for: at least one sentence, each on a line of its own.'),
    ('a\nb\nc\nd', 'There are 4 sentences, but at most 3 are answered at once. Leave some out.'),
    ('a\n' + 'b' * 61, 'Sentence 2 has 61 letters, but may have 60. Shorten it.'),
])
def test_sentences_that_are_refused(service, text, message):
    service.take('a', picture(), 'photo.png')
    with pytest.raises(ValueError, match=message):
        service.ask('a', 'one', text)


def test_what_is_not_there(service):
    with pytest.raises(ValueError, match='There is no picture. Drop one first. .* last 16 visitors are kept'):
        service.ask('a', 'one', 'the star')
    service.take('a', picture(), 'photo.png')
    with pytest.raises(ValueError, match='There is no answer about this picture yet. Ask first.'):
        service.redraw('a', 0.5, 0.5)
    with pytest.raises(ValueError, match="This page has no model 'other'. Choose one of one, same."):
        service.ask('a', 'other', 'the star')
    with pytest.raises(ValueError, match='photo.png is no picture'):
        service.take('a', b'text', 'photo.png')
    with pytest.raises(ValueError, match='There is no picture'):
        service.ask('a', 'one', 'the star')


def test_files_do_not_pile_up(service, tmp_path):
    service.take('a', picture(), 'photo.png')
    service.ask('a', 'one', 'a\nb\nc')
    service.save('a')
    for step in range(1, 9):
        service.redraw('a', step / 10, 0.5)
    folder, = tmp_path.iterdir()
    assert len(list(folder.glob('answer_*.jpg'))) == 2
    service.take('a', picture(1), 'photo.png')
    assert len(list(folder.iterdir())) == 1


def test_a_model_is_loaded_when_it_is_asked(predictor):
    loaded = []

    def fail_once() -> Predictor:
        loaded.append('other')
        if len(loaded) == 2:
            raise ValueError('Not now.')
        return predictor

    models = Models({'one': lambda: loaded.append('one') or predictor, 'other': fail_once})
    assert models.names == ['one', 'other'] and loaded == []
    models.get('one')
    models.get('one')
    assert loaded == ['one']
    with pytest.raises(ValueError, match='Not now'):
        models.get('other')
    assert models.get('other') is predictor and loaded == ['one', 'other', 'other']
    with pytest.raises(ValueError, match='A page needs at least one model.'):
        Models({})
