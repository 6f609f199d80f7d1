"""What an export is made of, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest

from mmris.apis import Predictor
from mmris.export import compare_logits, export_model, form_size, mask_ious
from mmris.export.description import describe_tokenizer, describe_views
from mmris.prediction import Logits
from mmris.runtime import OnnxPredictor
from mmris.web.examples import EXAMPLES
from tests.conftest import run_command, tiny_config

PICTURE, SENTENCES = EXAMPLES[1]
SHAPES = 'cm-masksd-shaperef'


@pytest.fixture(scope='module')
def predictor() -> Predictor:
    return Predictor.from_pretrained(SHAPES, device='cpu')


@pytest.fixture(scope='module')
def folder(predictor, tmp_path_factory) -> Path:
    """An export of all forms."""
    out = tmp_path_factory.mktemp('export') / 'exported'
    export_model(predictor, out, forms=('int8', 'float16', 'float32'))
    return out


def test_the_folder(predictor, folder):
    card = json.loads((folder / 'card.json').read_text())
    assert list(card['forms']) == ['float32', 'float16', 'int8']
    assert sorted(path.name for path in folder.iterdir()) == sorted(['card.json', *card['files']])
    assert card['tokenizer']['context_length'] == 12 and card['protocol']['threshold'] == predictor.protocol.threshold
    assert (folder / 'vocabulary.txt').read_bytes() == predictor.vocabulary_file.read_bytes()
    sizes = {form: form_size(card, form) for form in card['forms']}
    assert sizes['float16'] < 0.6 * sizes['float32'] and sizes['int8'] < 0.6 * sizes['float32']


def test_what_is_said_of_lavts_inputs():
    """As :func:`mmris.runtime.card.read_card` takes it."""
    tokenizer = dict(type='WordPieceTokenizer', context_length=20, keep_end=False, vocabulary='data/vocab.txt')
    assert describe_tokenizer(tokenizer, Path('data/vocab.txt')) == dict(tokenizer, vocabulary='vocabulary.txt')
    steps = [dict(type='LoadImage'), dict(type='PillowResize', size=480, nearest_masks=True)]
    assert describe_views(steps) == [
        dict(name='main', geometry=dict(type='PillowResize', size=[480, 480], nearest_masks=True))]


@pytest.mark.parametrize('form, difference', [('float32', 1e-4), ('float16', 0.2), ('int8', 3.0)])
def test_as_near_as_its_form(predictor, folder, form, difference):
    exported = OnnxPredictor(folder, form=form, threads=1)
    assert compare_logits(predictor, exported, PICTURE, SENTENCES) < difference
    predictor.set_image(PICTURE)
    exported.set_image(PICTURE)
    wanted, given = predictor.predict(SENTENCES), exported.predict(SENTENCES)
    assert given.masks.any(axis=(1, 2)).all() and mask_ious(wanted.masks, given.masks).min() > 0.95


def test_int8_and_float16_do_differ(folder):
    answers = []
    for form in ('float32', 'float16', 'int8'):
        exported = OnnxPredictor(folder, form=form, threads=1)
        answers.append(exported.logits(SENTENCES, image=exported.set_image(PICTURE)).masks)
    assert not np.array_equal(answers[0], answers[1]) and not np.array_equal(answers[0], answers[2])


def test_more_sentences_than_at_once(predictor, folder):
    exported = OnnxPredictor(folder, threads=1)
    asked = [f'{SENTENCES[number % 3]} {number}' for number in range(70)]
    wanted = predictor.logits(asked, image=predictor.set_image(PICTURE)).masks
    np.testing.assert_allclose(exported.logits(asked, image=exported.set_image(PICTURE)).masks, wanted, atol=1e-4)


@pytest.mark.slow
def test_thresholds_are_those_of_the_predictor(tmp_path):
    export_model(Predictor.from_pretrained(SHAPES, device='cpu', threshold=0.7), tmp_path / 'exported')
    assert OnnxPredictor(tmp_path / 'exported').protocol.threshold == 0.7


@pytest.mark.slow
def test_int8_alone(predictor, tmp_path):
    card = export_model(predictor, tmp_path / 'exported', forms=['int8'])
    assert list(card['forms']) == ['int8']
    assert {path.name for path in (tmp_path / 'exported').iterdir()} == {
        'card.json', 'vocabulary.txt', 'image_int8.onnx', 'sentences_int8.onnx'}
    OnnxPredictor(tmp_path / 'exported', form='int8')


@pytest.mark.slow
def test_weights_in_files_of_their_own(predictor, tmp_path, monkeypatch):
    monkeypatch.setattr('mmris.export.graphs._LARGEST_FILE', 0)
    card = export_model(predictor, tmp_path / 'exported', forms=['float32', 'int8'])
    assert {'image.onnx.data', 'sentences.onnx.data', 'image_int8.onnx.data'} <= set(card['files'])
    assert card['files']['image.onnx']['bytes'] < card['files']['image.onnx.data']['bytes']
    assert form_size(card, 'int8') < 0.6 * form_size(card, 'float32')
    (tmp_path / 'exported').rename(tmp_path / 'moved')
    assert compare_logits(predictor, OnnxPredictor(tmp_path / 'moved', threads=1), PICTURE, SENTENCES) < 1e-4
    OnnxPredictor(tmp_path / 'moved', form='int8', threads=1)


class TestRefused:

    def test_unknown_form(self, predictor, tmp_path):
        with pytest.raises(ValueError, match='forms are some of float32, float16, int8, but got int4'):
            export_model(predictor, tmp_path / 'exported', forms=['int4'])
        with pytest.raises(ValueError, match='but got none'):
            export_model(predictor, tmp_path / 'exported', forms=[])
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize('card', [None, {'title': 'my photos'}, {'format': 'mmris-export', 'files': {}}])
    def test_a_folder_of_something_else(self, predictor, tmp_path, card):
        (tmp_path / 'notes.txt').write_text('mine')
        if card is not None:
            (tmp_path / 'card.json').write_text(json.dumps(card))
        there = sorted(tmp_path.iterdir())
        with pytest.raises(FileExistsError, match='is not empty, and would be replaced, but it is not an exported '
                                                  'model alone: it has .*Name another folder, or empty this one'):
            export_model(predictor, tmp_path)
        assert sorted(tmp_path.iterdir()) == there and (tmp_path / 'notes.txt').read_text() == 'mine'

    def test_a_file_in_place_of_the_folder(self, predictor, tmp_path):
        (tmp_path / 'exported').write_text('mine')
        with pytest.raises(FileExistsError, match='is a file, but a folder is to be written'):
            export_model(predictor, tmp_path / 'exported')

    def test_instance_masks(self, tmp_path):
        predictor = Predictor(tiny_config('mail/tiny_shaperef.py'), device='cpu')
        with pytest.raises(ValueError, match='models with them cannot be exported. Take a config without'):
            export_model(predictor, tmp_path / 'exported')

    def test_a_step_of_ones_own(self, tmp_path):
        config = tiny_config()
        config.inputs.steps = dict(
            flip=dict(type='mmcv.RandomFlip', prob=0.5, after='load_image', phase='test'))
        predictor = Predictor(config, device='cpu')
        with pytest.raises(ValueError, match='The test pipeline has the step RandomFlip, which changes what the model '
                                             'sees'):
            export_model(predictor, tmp_path / 'exported')
        assert not list(tmp_path.iterdir())


def test_failing_leaves_the_export_that_was_there(predictor, folder, monkeypatch):
    before = (folder / 'card.json').read_bytes()
    monkeypatch.setattr('mmris.export.exporting.export_sentence_half', lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        export_model(predictor, folder)
    assert (folder / 'card.json').read_bytes() == before and len(list(folder.parent.iterdir())) == 1
    OnnxPredictor(folder)


def test_no_number_is_not_near(predictor, folder, monkeypatch):
    exported = OnnxPredictor(folder, threads=1)
    monkeypatch.setattr(exported, '_logits', lambda *_: Logits(np.full((3, 1, 2, 2), np.nan), None))
    monkeypatch.setattr(predictor, '_logits', lambda *_: Logits(np.ones((3, 1, 2, 2)), None))
    assert np.isnan(compare_logits(predictor, exported, PICTURE, SENTENCES))


def test_a_broken_picture_is_noticed_before_the_work(tmp_path):
    (tmp_path / 'broken.jpg').write_text('no picture')
    with pytest.raises(ValueError, match='broken.jpg is of no image format that Pillow reads'):
        run_command('export', '--model', SHAPES, '--out', tmp_path / 'exported', '--image', tmp_path / 'broken.jpg')
    assert not (tmp_path / 'exported').exists()


@pytest.mark.slow
def test_the_command(tmp_path, capsys):
    # An empty folder will do.
    (tmp_path / 'exported').mkdir()
    assert not run_command('export', '--model', SHAPES, '--out', tmp_path / 'exported')
    printed = capsys.readouterr().out
    row = next(line for line in printed.splitlines() if line.startswith('| float32 '))
    assert float(row.split('|')[3]) < 1e-4 and row.split('|')[4].strip() == '1.000'
    assert 'compared with PyTorch on scene_1.jpg, 1, 2 and 7 sentences at once' in printed
    card = json.loads((tmp_path / 'exported' / 'card.json').read_text())
    assert card['weights']['name'] == 'cm-masksd-shaperef.safetensors' and card['config'] == 'vit-small_shaperef.py'
