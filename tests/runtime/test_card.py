"""The card of an export folder, and what is refused."""

import json
import shutil

import numpy as np
import pytest

from mmris.images.geometry import Letterbox, Resize
from mmris.names import EXPORT_FORMS
from mmris.protocols import find_protocol
from mmris.runtime.card import GEOMETRIES, TOKENIZERS, read_card
from tests.runtime.toy_export import SIZE, describe, write_export


def test_what_it_says(tmp_path):
    card = read_card(str(write_export(tmp_path)), 'float32')
    assert card.folder == tmp_path and card.config == 'toy.py' and card.weights['name'] == 'toy.pth'
    assert list(card.views) == ['main', 'wide'] and type(card.views['main']) is Letterbox
    assert type(card.views['wide']) is Resize and card.views['main'].size == (SIZE, SIZE)
    assert card.protocol == find_protocol('rela') and card.existence_threshold == 0.5
    assert card.tokenizer['vocabulary'] == tmp_path / 'vocabulary.txt' and card.max_expressions == 64
    assert card.graphs == dict(image=tmp_path / 'image.onnx', sentences=tmp_path / 'sentences.onnx')


def test_a_model_that_needs_no_weights(tmp_path):
    assert read_card(write_export(tmp_path, weights=None), 'float32').weights is None


def test_another_way_back(tmp_path):
    protocol = dict(name='rela', resampling='cris', threshold=0.4, existence_threshold=0.6)
    card = read_card(write_export(tmp_path, protocol=protocol), 'float32')
    assert card.protocol == find_protocol('rela', 'cris').with_threshold(0.4) and card.existence_threshold == 0.6


def test_what_lavt_says(tmp_path):
    """A card's protocol may score at the input, which whoever predicts need not know."""
    tokenizer = dict(type='WordPieceTokenizer', context_length=20, vocabulary='vocabulary.txt', keep_end=False)
    views = [dict(name='main', geometry=dict(type='PillowResize', size=[24, 36], nearest_masks=True))]
    protocol = dict(name='lavt', resampling=None, threshold=0.5, existence_threshold=None)
    card = read_card(write_export(tmp_path, tokenizer=tokenizer, views=views, protocol=protocol), 'float32')
    assert card.tokenizer['keep_end'] is False and card.views['main'].nearest_masks
    assert card.protocol is find_protocol('lavt')


@pytest.mark.parametrize('name', GEOMETRIES)
def test_each_geometry(tmp_path, name):
    views = [dict(name='main', geometry=dict(type=name, size=[24, 36]))]
    card = read_card(write_export(tmp_path, views=views), 'float32')
    assert card.views['main'].place_image(np.zeros((7, 9, 3), np.uint8)).shape == (24, 36, 3)


def test_names_as_in_the_registry():
    from mmris.datasets import tokenizers, transforms
    registered = {name for name in vars(transforms)['__all__'] if issubclass(getattr(transforms, name), tuple(
        getattr(transforms, geometry) for geometry in GEOMETRIES))}
    assert registered == set(GEOMETRIES) and set(tokenizers.__all__) == set(TOKENIZERS)


class TestTheFolder:

    def test_none(self, tmp_path):
        with pytest.raises(FileNotFoundError, match='There is no folder .*nowhere. Give the folder of an exp'):
            read_card(tmp_path / 'nowhere', 'float32')

    def test_no_card(self, tmp_path):
        with pytest.raises(FileNotFoundError, match='has no card.json, so that it is no exported model. Give'):
            read_card(tmp_path, 'float32')

    @pytest.mark.parametrize('content, problem', [(b'{"format"', 'card.json is not valid JSON'),
                                                  (b'\xff', 'card.json is not valid JSON'),
                                                  (b'[1]', r'card.json is \[1\], but must be an object of JSON')])
    def test_no_json(self, tmp_path, content, problem):
        write_export(tmp_path)
        (tmp_path / 'card.json').write_bytes(content)
        with pytest.raises(ValueError, match=f'{problem}.*Export the model again, or copy'):
            read_card(tmp_path, 'float32')

    def test_a_missing_file(self, tmp_path):
        (write_export(tmp_path) / 'sentences.onnx').unlink()
        with pytest.raises(FileNotFoundError, match='sentences.onnx is missing, which card.json lists. Copy the whole'):
            read_card(tmp_path, 'float32')

    def test_a_cut_file(self, tmp_path):
        path = write_export(tmp_path) / 'image.onnx'
        size = path.stat().st_size
        path.write_bytes(path.read_bytes()[:-1])
        with pytest.raises(ValueError, match=f'image.onnx has {size - 1:,} bytes, but card.json says {size:,}: it'):
            read_card(tmp_path, 'float32')

    def test_a_changed_file(self, tmp_path):
        path = write_export(tmp_path) / 'vocabulary.txt'
        path.write_bytes(path.read_bytes().replace(b'red', b'rad'))
        with pytest.raises(ValueError, match='vocabulary.txt has the SHA-256 .* but card.json says .*changed. Copy'):
            read_card(tmp_path, 'float32')

    def test_a_changed_file_of_weights(self, tmp_path):
        """It is beside its graph, and no graph itself."""
        write_export(tmp_path)
        (tmp_path / 'image.onnx.data').write_bytes(b'weights')
        edit(tmp_path, lambda card: card['files'].update({'image.onnx.data': describe(tmp_path / 'image.onnx.data')}))
        read_card(tmp_path, 'float32')
        (tmp_path / 'image.onnx.data').write_bytes(b'Weights')
        with pytest.raises(ValueError, match='image.onnx.data has the SHA-256'):
            read_card(tmp_path, 'float32')

    def test_files_of_another_form_may_be_missing(self, tmp_path):
        write_export(tmp_path)
        for name in ('image', 'sentences'):
            shutil.copy(tmp_path / f'{name}.onnx', tmp_path / f'{name}_int8.onnx')
        (tmp_path / 'image_int8.onnx.data').write_bytes(b'weights')

        def add(card):
            card['forms']['int8'] = dict(image='image_int8.onnx', sentences='sentences_int8.onnx')
            card['files'].update({name: describe(tmp_path / name) for name in (
                'image_int8.onnx', 'image_int8.onnx.data', 'sentences_int8.onnx')})

        edit(tmp_path, add)
        assert read_card(tmp_path, 'int8').graphs['image'] == tmp_path / 'image_int8.onnx'
        (tmp_path / 'image_int8.onnx.data').unlink()
        read_card(tmp_path, 'float32')
        with pytest.raises(FileNotFoundError, match='image_int8.onnx.data is missing'):
            read_card(tmp_path, 'int8')
        (tmp_path / 'image.onnx').unlink()
        with pytest.raises(FileNotFoundError, match='image.onnx is missing'):
            read_card(tmp_path, 'float32')


class TestForms:

    @pytest.mark.parametrize('form', ['float16', 'float64'])
    def test_one_that_is_not_there(self, tmp_path, form):
        with pytest.raises(ValueError, match=f"form must be one that .*card.json has, float32, but got '{form}'"):
            read_card(write_export(tmp_path), form)

    def test_unknown(self, tmp_path):
        write_export(tmp_path, change=lambda card: card['forms'].update(int1={}))
        known = ', '.join(EXPORT_FORMS)
        with pytest.raises(ValueError, match=f"forms has 'int1', but this mmris knows {known}. Use a newer"):
            read_card(tmp_path, 'float32')


@pytest.mark.parametrize('name', ['../secret', '/etc/passwd', 'in/side', 'C:secret', 'in\\side', '..', '.', '\0'])
@pytest.mark.parametrize('place', ['vocabulary', 'graph', 'listed'])
def test_no_file_outside(tmp_path, name, place):

    def change(card):
        if place == 'vocabulary':
            card['tokenizer']['vocabulary'] = name
        elif place == 'graph':
            card['forms']['float32']['image'] = name
        else:
            card['files'][name] = dict(bytes=1, sha256='0')

    with pytest.raises(ValueError, match='must be the bare name of a file in the folder. Do not use'):
        read_card(write_export(tmp_path, change=change), 'float32')


def remove(*keys):

    def change(card):
        for key in keys[:-1]:
            card = card[key]
        del card[keys[-1]]

    return change


def put(value, *keys):

    def change(card):
        for key in keys[:-1]:
            card = card[key]
        card[keys[-1]] = value

    return change


@pytest.mark.parametrize('change, problem', [
    (put('other', 'format'), "format is 'other', but must be 'mmris-export'"),
    (remove('format'), 'format is missing, but must be text'),
    (put(2, 'version'), 'is of version 2, but this mmris reads version 1. Use the version .* model, 0.1.0, or'),
    (put(True, 'version'), 'version is True, but must be a whole number'),
    (put('BPETokenizer', 'tokenizer', 'type'), "tokenizer: type is 'BPETokenizer', but must be one of WordTokenizer"),
    (put(True, 'tokenizer', 'lower_case'), "tokenizer has 'lower_case', but this mmris knows type, vocabulary"),
    (put(1, 'tokenizer', 'context_length'), 'context_length is 1, but must be a whole number of at least 2'),
    (put(0, 'tokenizer', 'pad_to_longest'), 'pad_to_longest is 0, but must be true or false'),
    (lambda card: card['tokenizer'].update(type='WordPieceTokenizer', keep_end='no'),
     "keep_end is 'no', but must be true or false"),
    (put(True, 'tokenizer', 'keep_end'), "tokenizer has 'keep_end', but this mmris knows type, vocabulary"),
    (put('missing.txt', 'tokenizer', 'vocabulary'), 'files does not list missing.txt, which the card names'),
    (put([], 'views'), r'views is \[\], but must be a list of objects'),
    (put('main', 'views', 0, 'name'), 'views has main twice'),
    (put('side', 'views', 1, 'name'), 'views has wide, side, but must have main'),
    (put('Warp', 'views', 1, 'geometry', 'type'), "views 2: geometry: type is 'Warp', but must be one of Letterbox"),
    (put(3, 'views', 1, 'geometry', 'padding'), "geometry has 'padding', but this mmris knows type, size, border"),
    (put([8, 0], 'views', 1, 'geometry', 'size'), r'size is \[8, 0\], but must be a height and a width in pixels'),
    (put([8, 9, 9], 'views', 1, 'geometry', 'size'), 'must be a height and a width'),
    (put([0, 0, 256], 'views', 1, 'geometry', 'border_colour'), 'must be red, green and blue in 0 to 255'),
    (put('yes', 'views', 0, 'geometry', 'keep_overshoot'), "keep_overshoot is 'yes', but must be true or false"),
    (put(dict(type='PillowResize', size=64, nearest_masks=1), 'views', 0, 'geometry'),
     'nearest_masks is 1, but must be true or false'),
    (put('sota', 'protocol', 'name'), "protocol: protocol must be one of mmris, .* but got 'sota'"),
    (put('sota', 'protocol', 'resampling'), "protocol: resampling must be one of bilinear, .* but got 'sota'"),
    (put(1, 'protocol', 'threshold'), r'protocol: threshold is a probability in \[0, 1\), but got 1.0'),
    (put('0.5', 'protocol', 'threshold'), "threshold is '0.5', but must be a number or null"),
    (put(2, 'protocol', 'existence_threshold'), r'existence_threshold is 2, but must be a probability in \(0, 1\)'),
    (put('best.pth', 'weights'), "weights is 'best.pth', but must be an object"),
    (put(0, 'max_expressions'), 'max_expressions is 0, but must be a whole number of at least 1'),
    (put(['cells', 3], 'state'), 'state is .*, but must be a list of texts'),
    (put('cells', 'state'), "state is 'cells', but must be a list"),
    (put([], 'forms'), r'forms is \[\], but must be an object of JSON'),
    (remove('forms', 'float32', 'sentences'), 'forms: float32: sentences is missing, but must be text'),
    (put('12', 'files', 'image.onnx', 'bytes'), "files: image.onnx: bytes is '12', but must be a whole number"),
    (remove('files', 'image.onnx', 'sha256'), 'files: image.onnx: sha256 is missing, but must be text'),
])
def test_refused(tmp_path, change, problem):
    write_export(tmp_path, change=change)
    with pytest.raises(ValueError, match=problem):
        read_card(tmp_path, 'float32')


def edit(folder, change):
    path = folder / 'card.json'
    card = json.loads(path.read_text())
    change(card)
    path.write_text(json.dumps(card))


def test_a_card_that_is_nested_too_deeply(tmp_path):
    write_export(tmp_path)
    (tmp_path / 'card.json').write_text('[' * 400_000 + ']' * 400_000)
    with pytest.raises(ValueError, match='card.json is not valid JSON .*recursion.* Export the model again'):
        read_card(tmp_path, 'float32')


def test_a_link_to_outside(tmp_path):
    folder = write_export(tmp_path / 'exported')
    (folder / 'image.onnx').rename(tmp_path / 'elsewhere.onnx')
    (folder / 'image.onnx').symlink_to(tmp_path / 'elsewhere.onnx')
    with pytest.raises(ValueError, match='image.onnx is a link to outside the folder, .*elsewhere.onnx, and is not'):
        read_card(folder, 'float32')
