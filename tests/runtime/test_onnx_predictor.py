"""Predictions of an exported toy model, beside its arithmetic in NumPy and beside the predictor of torch."""

import shutil
from pathlib import Path
from threading import Thread

import cv2
import numpy as np
import onnxruntime
import open_clip
import pytest
import torch
from PIL import Image

from mmris import apis
from mmris.protocols import find_protocol
from mmris.protocols.geometry import letterbox_affine, letterbox_box
from mmris.runtime import OnnxPredictor
from mmris.structures import Answer
from mmris.utils import type_name
from tests.conftest import tiny_config
from tests.runtime.toy_export import CELL, SIZE, WIDE, WORDS, list_files, logits_of, write_export

SENTENCES = ['the red star', 'left', '象 on the left', 'unheard of', '']


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return write_export(tmp_path_factory.mktemp('exported'))


@pytest.fixture(scope='module')
def predictor(folder):
    return OnnxPredictor(folder, threads=1)


@pytest.fixture
def photo():
    return np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)


def expect(photo, sentences):
    """The logits by hand."""
    x0, y0, x1, y1 = letterbox_box(photo.shape[:2], (SIZE, SIZE))
    placed = np.zeros((SIZE, SIZE, 3))
    placed[y0:y1, x0:x1] = cv2.resize(photo, (x1 - x0, y1 - y0), interpolation=cv2.INTER_CUBIC)
    cells = placed.mean(axis=2).reshape(SIZE // CELL, CELL, SIZE // CELL, CELL).mean(axis=(1, 3)) / 255 - 0.5
    mean = cv2.resize(photo, WIDE[::-1], interpolation=cv2.INTER_CUBIC).mean() / 255
    rows = np.zeros((len(sentences), 8))
    mask = np.zeros((len(sentences), 8), bool)
    for row, real, sentence in zip(rows, mask, sentences):
        ids = [2, *(WORDS.index(word) if word in WORDS else 1 for word in sentence.split()), 3]
        row[:len(ids)], real[:len(ids)] = ids, True
    share = (x1 - x0) * (y1 - y0) / SIZE**2
    return logits_of(cells, share, mean, rows, mask), 3 * np.cos((rows * mask).sum(axis=1) * 0.01)


def assert_same(one, other, tolerance=1e-5):
    assert one.sentences == other.sentences and one.protocol == other.protocol
    assert np.abs(one.probabilities - other.probabilities).max() <= tolerance
    assert (one.existence is None) == (other.existence is None)
    if one.existence is not None:
        assert np.abs(one.existence - other.existence).max() <= tolerance


class TestPredictions:

    def test_by_hand(self, predictor, photo):
        predictor.set_image(photo)
        found = predictor.predict(SENTENCES)
        logits, existence = expect(photo, SENTENCES)
        expected = find_protocol('rela').to_original_pixels(
            torch.from_numpy(logits), letterbox_affine((50, 70), (SIZE, SIZE)), (SIZE, SIZE), (50, 70))
        assert type(found) is apis.Prediction and found.sentences == tuple(SENTENCES)
        assert found.probabilities.dtype == np.float32 and found.existence.dtype == np.float32
        assert np.abs(found.probabilities - expected.numpy()).max() <= 1e-4
        assert found.existence == pytest.approx(1 / (1 + np.exp(-existence)), abs=1e-5)
        assert np.array_equal(found.image, photo) and found.path is None and found.instance_masks is None
        assert found.threshold == 0.5 and found.existence_threshold == 0.5 and found.masks.any()
        assert not found.probabilities.flags.writeable and not found.image.flags.writeable

    @pytest.mark.parametrize('most', [1, 2, 5])
    def test_so_many_sentences_at_a_time(self, predictor, photo, most, tmp_path, monkeypatch):
        chunked = OnnxPredictor(write_export(tmp_path, max_expressions=most), threads=1)
        runs = []
        run = chunked.model._sentences.run
        monkeypatch.setattr(chunked.model._sentences, 'run', lambda values: runs.append(len(values['token_ids']))
                            or run(values))
        chunked.set_image(photo)
        predictor.set_image(photo)
        assert_same(chunked.predict(SENTENCES), predictor.predict(SENTENCES))
        assert max(runs) == most and sum(runs) == len(SENTENCES)

    def test_padding_to_the_longest(self, predictor, photo, tmp_path):
        tokenizer = dict(type='WordTokenizer', context_length=8, pad_to_longest=True, vocabulary='vocabulary.txt')
        longest = OnnxPredictor(write_export(tmp_path, tokenizer=tokenizer), threads=1)
        assert longest._tokenizer(['left'])[0].shape == (1, 3)
        for one in (longest, predictor):
            one.set_image(photo)
        assert_same(longest.predict(SENTENCES), predictor.predict(SENTENCES))

    def test_without_an_existence_head(self, photo, tmp_path):
        predictor = OnnxPredictor(write_export(tmp_path, existence=False))
        predictor.set_image(photo)
        found = predictor.predict('left')
        assert found.existence is None and found.exists.tolist() == [found.areas[0] > 0]

    def test_a_file(self, predictor, photo, tmp_path):
        """Turned upright by its EXIF."""
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.fromarray(np.rot90(photo)).save(tmp_path / 'photo.png', exif=exif)
        predictor.set_image(tmp_path / 'photo.png')
        found = predictor.predict(SENTENCES)
        assert np.array_equal(found.image, photo) and found.path == str(tmp_path / 'photo.png')
        predictor.set_image(photo)
        assert_same(found, predictor.predict(SENTENCES), 0)


class TestInterface:
    """As that of the predictor of torch."""

    def test_an_image_at_a_time_or_several(self, predictor, photo):
        other = photo[:, ::-1]
        one, two = predictor.encode([photo, other])
        first, again, second = predictor.predict_batch([['left', 'star'], 'red', 'left'], [one, one, two])
        assert_same(first, predictor.predict(['left', 'star'], image=one), 0)
        assert_same(again, predictor.predict('red', image=one), 0)
        assert_same(second, predictor.predict('left', image=two), 0)
        assert repr(one) == '<BaseEncodedImage of 50 x 70 pixels (height x width)>'

    def test_each_thread_has_its_own_image(self, folder, photo):
        predictor, found = OnnxPredictor(folder, threads=1), {}

        def ask(name, image):
            predictor.set_image(image)
            found[name] = [predictor.predict('left') for _ in range(20)]

        threads = [Thread(target=ask, args=(shift, np.roll(photo, shift, axis=1))) for shift in (0, 20, 40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for shift, predictions in found.items():
            expected = predictor.predict('left', image=predictor.encode([np.roll(photo, shift, axis=1)])[0])
            for one in predictions:
                assert_same(one, expected, 0)

    def test_no_image(self, folder):
        predictor = OnnxPredictor(folder)
        with pytest.raises(RuntimeError, match='There is no image yet: call set_image first'):
            predictor.predict('left')
        with pytest.raises(RuntimeError, match='There is no image yet'):
            predictor.image  # noqa: B018

    def test_an_image_of_another_predictor(self, folder, predictor, photo):
        encoded = OnnxPredictor(folder).set_image(photo)
        with pytest.raises(ValueError, match='encoded by another model'):
            predictor.predict('left', image=encoded)

    def test_instance_masks(self, predictor, photo):
        assert not predictor.takes_instance_masks
        with pytest.raises(ValueError, match='The model takes no instance masks in'):
            predictor.set_image(photo, np.zeros((1, 50, 70), bool))

    def test_words(self, predictor):
        read, = predictor.read_words('the red star on the left star')
        assert read == ('the red star on the left', 8, False)

    def test_thresholds(self, folder, photo):
        predictor = OnnxPredictor(folder, threshold=0.7, existence_threshold=0.9)
        predictor.set_image(photo)
        found = predictor.predict(SENTENCES)
        assert predictor.protocol.threshold == found.threshold == 0.7
        assert found.exists.tolist() == (found.existence >= 0.9).tolist()
        with pytest.raises(ValueError, match=r'threshold is a probability in \[0, 1\), but got 1.5'):
            OnnxPredictor(folder, threshold=1.5)
        with pytest.raises(ValueError, match=r'existence_threshold is a probability in \(0, 1\), but got 0'):
            OnnxPredictor(folder, existence_threshold=0)

    def test_thresholds_that_the_card_leaves_to_the_protocol(self, tmp_path):
        protocol = dict(name='lisa', resampling=None, threshold=None, existence_threshold=None)
        predictor = OnnxPredictor(write_export(tmp_path, protocol=protocol))
        assert predictor.protocol == find_protocol('lisa') and predictor.existence_threshold == 0.5

    def test_threads_and_providers(self, folder):
        predictor = OnnxPredictor(folder, threads=2, providers=[('CPUExecutionProvider', {})])
        assert predictor.model._image._session.get_session_options().intra_op_num_threads == 2
        with pytest.raises(ValueError, match="providers must be of .*CPUExecutionProvider.*, but got 'Quantum'. For"):
            OnnxPredictor(folder, providers=['Quantum'])
        with pytest.raises(ValueError, match=r"providers must be a list, such as .'CPUExecutionProvider'., but got"):
            OnnxPredictor(folder, providers='CPUExecutionProvider')
        with pytest.raises(ValueError, match='threads must be a whole number of 1 to 1,024, but got 0'):
            OnnxPredictor(folder, threads=0)


class TestGraphs:
    """Those that do not fit the card."""

    def test_another_size(self, tmp_path):
        # As large as no memory is: nothing may be made of that size.
        folder = write_export(tmp_path, change=lambda card: card['views'][0]['geometry'].update(size=[10**6, 10**6]))
        with pytest.raises(ValueError, match=r'image.onnx takes pixels_wide of the shape .1, 3, 12, 20., but the card '
                                             r'says .1, 3, 1000000, 1000000.: card and graph do not belong together'):
            OnnxPredictor(folder)

    def test_broken(self, tmp_path):
        write_export(tmp_path)
        (tmp_path / 'image.onnx').write_bytes(b'no graph')
        list_files(tmp_path)
        with pytest.raises(RuntimeError, match=f'onnxruntime {onnxruntime.__version__} cannot load .*image.onnx '):
            OnnxPredictor(tmp_path)

    def test_another_state(self, tmp_path):
        write_export(tmp_path, state=['cells', 'share', 'mean', 'words'])
        with pytest.raises(ValueError, match='image.onnx does not give words, but cells, share, mean: card and graph'):
            OnnxPredictor(tmp_path)

    def test_another_input(self, tmp_path):
        write_export(tmp_path, change=lambda card: card['views'].pop(0))
        with pytest.raises(ValueError, match='image.onnx takes pixels_wide, which this mmris does not have: it has'):
            OnnxPredictor(tmp_path)


class TestBesideTorch:
    """The same toy in place of the model of the predictor of torch, with a real pipeline, tokenizer and protocol."""

    @pytest.fixture(scope='class')
    def pair(self, tmp_path_factory):
        theirs = apis.Predictor(tiny_config(), device='cpu')
        model, preprocessor, tokenizer = theirs.model, theirs.model.data_preprocessor, theirs._tokenizer
        step = next(one for one in theirs.model.cfg.test_dataloader.dataset.pipeline if type_name(one) == 'Letterbox')
        assert step == dict(type='Letterbox', size=SIZE), 'as that of the toy, but for the border'

        def encode_images(inputs):
            pixels = inputs.pixels * preprocessor.std + preprocessor.mean
            cells = torch.nn.functional.avg_pool2d(pixels, CELL).mean(dim=1) / 255 - 0.5
            return cells, (inputs.box[:, 2:] - inputs.box[:, :2]).prod(dim=1) / SIZE**2

        def segment(state, tokens, image_index):
            cells, share = (part[image_index] for part in state)
            turn = (tokens[0] * tokens[1]).sum(dim=1) * 0.01
            logits = 8 * turn.sin()[:, None, None] * cells + share[:, None, None]
            return Answer(logits=logits[:, None], existence=3 * turn.cos())

        model.encode_images, model.segment = encode_images, segment
        theirs._sentences.encode = lambda model, sentences: tokenizer(sentences)
        folder = tmp_path_factory.mktemp('clip')
        shutil.copy(Path(open_clip.__file__).parent / 'bpe_simple_vocab_16e6.txt.gz', folder)
        write_export(
            folder,
            tokenizer=dict(
                type='CLIPTokenizer',
                context_length=tokenizer.context_length,
                pad_to_longest=False,
                vocabulary='bpe_simple_vocab_16e6.txt.gz'),
            other_view=False,
            views=[dict(name='main', geometry=dict(type='Letterbox', size=SIZE))],
            protocol=dict(name=model.protocol.name, resampling=None, threshold=theirs.protocol.threshold,
                          existence_threshold=theirs.existence_threshold))
        return theirs, OnnxPredictor(folder, threads=1)

    @pytest.mark.parametrize('size', [(50, 70), (300, 211), (1, 9)])
    def test_predictions(self, pair, size):
        image = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
        sentences = ['the red star on the left', 'Zoë\'s “hat”', '大きい赤い丸', '', 'red ' * 30]
        theirs, mine = pair
        for one in pair:
            one.set_image(image)
        found, expected = mine.predict(sentences), theirs.predict(sentences)
        assert_same(found, expected)
        # A pixel may be on either side of the threshold.
        assert (found.masks != expected.masks).mean() < 1e-3 and np.allclose(found.scores, expected.scores, atol=1e-2)
        assert mine.read_words(sentences) == theirs.read_words(sentences)
