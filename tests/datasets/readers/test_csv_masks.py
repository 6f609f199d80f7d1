"""A CSV file with the files of masks."""

import csv

import numpy as np
import pytest
from PIL import Image

from mmris.datasets.masks import decode_segmentation
from mmris.datasets.set_check import check_set
from tests.datasets.readers.own_exports import convert, splits_of_images, write_csv, write_refer
from tests.datasets.readers.shaperef_forms import assert_same_samples, read_samples

HEADER = ['image', 'mask', 'sentence']


@pytest.fixture
def own(tmp_path):
    """Convert a CSV file of these rows beside images a.jpg, b.jpg and masks of 40 x 60 pixels by name."""
    folder = tmp_path / 'own'
    (folder / 'images').mkdir(parents=True)
    for name in ('a.jpg', 'b.jpg'):
        Image.new('RGB', (60, 40)).save(folder / 'images' / name)

    class Own:
        path = folder / 'own.csv'

        @staticmethod
        def mask(name, values, mode=None):
            image = Image.fromarray(np.asarray(values, dtype=np.uint8))
            if mode == 'P':
                image.putpalette([1, 2, 3] * 256)
            elif mode:
                image = image.convert(mode)
            (folder / name).parent.mkdir(exist_ok=True)
            image.save(folder / name)

        @classmethod
        def read(cls, *rows, header=HEADER, delimiter=',', **options):
            with open(cls.path, 'w', encoding='utf-8', newline='') as file:
                csv.writer(file, delimiter=delimiter).writerows([header, *rows])
            return convert('csv', cls.path, folder / 'images', **options)

    Own.mask('m.png', objects(1, 0, 0))
    return Own


def objects(first, second, third):
    """40 x 60 values: three squares."""
    values = np.zeros((40, 60), dtype=np.uint8)
    values[2:8, 3:12], values[10:20, 20:50], values[30:36, 1:5] = first, second, third
    return values


def masks_of(content):
    return [decode_segmentation(one['segmentation'], 40, 60) for one in content.instances['annotations']]


@pytest.mark.parametrize('value', [1, 255])
@pytest.mark.parametrize('split', [True, False])
def test_it_gives_the_samples_of_the_refer_files(value, split, refer_folder, refer, tmp_path):
    path = write_csv(refer, tmp_path / 'csv', value=value, split=split)
    content = convert('csv', path, refer_folder / 'images')
    assert len(content.refs) == len(refer.refs) and not content.left_out.counts
    refs_file = write_refer(content, tmp_path / 'own', None if split else splits_of_images(refer))
    assert_same_samples(refer_folder, refs_file, ann_file=refs_file.parent / 'instances.json')
    report = check_set(
        instances_path=str(refs_file.parent / 'instances.json'), refs_path=str(refs_file),
        image_folder=str(refer_folder / 'images'), decode=True)
    assert report.is_fine, report.problems


@pytest.mark.parametrize('mode', [None, 'P', 'RGB', 'I;16'])
def test_rows_of_one_object_are_one_ref(mode, own):
    own.mask('ids.png', objects(1, 2, 7), mode)
    content = own.read(
        ['a.jpg', 'ids.png', 'the first', 1], ['a.jpg', 'ids.png', 'the second', 2],
        ['./a.jpg', './ids.png', 'also the first', '1.0'], ['b.jpg', 'ids.png', 'on the other image', 1],
        header=[*HEADER, 'value'])
    assert [[one['raw'] for one in ref.ref['sentences']] for ref in content.refs] == [
        ['the first', 'also the first'], ['the second'], ['on the other image']]
    assert [ref.ref['ann_id'] for ref in content.refs] == [1, 2, 3]
    first, second, third = masks_of(content)
    assert np.array_equal(first, objects(1, 0, 0)) and np.array_equal(second, objects(0, 1, 0))
    assert np.array_equal(third, first)


def test_the_values_of_a_mask_are_found_once(own, monkeypatch):
    """With large masks of many objects this takes most of the time."""
    own.mask('ids.png', objects(1, 2, 7))
    found, unique = [], np.unique
    monkeypatch.setattr(np, 'unique', lambda values, *rest, **options: (
        found.append(np.shape(values)), unique(values, *rest, **options))[1])
    own.read(*(['a.jpg', 'ids.png', f'object {value}', value] for value in (1, 2, 7)), header=[*HEADER, 'value'])
    assert found.count((40, 60)) == 1


def test_sentences_of_one_object_come_together(own):
    content = own.read(['a.jpg', 'm.png', 'one'], ['a.jpg', 'm.png', 'two\nthree'], ['b.jpg', 'm.png', 'four'])
    assert [[one['raw'] for one in ref.ref['sentences']] for ref in content.refs] == [['one', 'two', 'three'], ['four']]


def test_an_empty_mask_cell_is_no_target(own):
    content = own.read(['a.jpg', '', 'a zebra'], ['a.jpg', '', 'a lion'], ['a.jpg', 'm.png', 'one'])
    assert [one.ref['ann_id'] for one in content.refs] == [[], [], 1]
    refs_file = write_refer(content, own.path.parent / 'refer')
    found = read_samples(
        'train', refs_file, image_folder=own.path.parent / 'images', ann_file=refs_file.parent / 'instances.json')
    assert {text: len(mask[2]) > 0 for text, mask in found['a.jpg']} == {'a zebra': True, 'a lion': True, 'one': True}
    assert check_set(instances_path=str(refs_file.parent / 'instances.json'), refs_path=str(refs_file),
                     image_folder=str(own.path.parent / 'images'), decode=True).is_fine


def test_masks_of_several_values_ask_what_they_mean(own):
    own.mask('ids.png', objects(1, 2, 7))
    with pytest.raises(ValueError, match='own.csv: row 1 below the header has the mask .*ids.png with the values '
                       '0, 1, 2, 7. Say what they mean: --mask-values binary .*--mask-values instances'):
        own.read(['a.jpg', 'ids.png', 'one'])
    content = own.read(['a.jpg', 'ids.png', 'one'], mask_values='binary')
    assert np.array_equal(masks_of(content)[0], objects(1, 1, 1))
    with pytest.raises(ValueError, match='has no value. With --mask-values instances.*0, 1, 2, 7'):
        own.read(['a.jpg', 'ids.png', 'one'], mask_values='instances')
    with pytest.raises(ValueError, match="--mask-values is 'ids', but needs to be one of binary, instances"):
        own.read(['a.jpg', 'ids.png', 'one'], mask_values='ids')


def test_masks_of_one_bit_are_read(own):
    own.mask('bits.png', objects(255, 0, 0), '1')
    content = own.read(['a.jpg', 'bits.png', 'one', ''], ['b.jpg', 'bits.png', 'two', 1], header=[*HEADER, 'value'])
    assert all(np.array_equal(mask, objects(1, 0, 0)) for mask in masks_of(content))
    with pytest.raises(ValueError, match='has the values 0, 1. Correct'):
        own.read(['a.jpg', 'bits.png', 'one', 2], header=[*HEADER, 'value'])


def test_binary_does_not_read_the_column_of_values(own):
    content = own.read(['a.jpg', 'm.png', 'one', 'x'], header=[*HEADER, 'value'], mask_values='binary')
    assert np.array_equal(masks_of(content)[0], objects(1, 0, 0))


def test_a_jpeg_is_no_mask(own):
    own.mask('m.jpg', objects(255, 0, 0))
    with pytest.raises(ValueError, match='A JPEG file changes values: save masks as PNG'):
        own.read(['a.jpg', 'm.jpg', 'one'])


def test_columns_and_folder_of_other_names(own):
    own.mask('deep/m.png', objects(0, 1, 0))
    header = ['photo', 'text', 'file', 'part', 'object']
    columns = dict(image_column='photo', mask_column='file', sentence_column='text', split_column='part',
                   value_column='object', mask_folder=str(own.path.parent / 'deep'))
    content = own.read(['x/a.jpg', 'one; two', 'm.png', 'Validation', '1'], header=header, delimiter=';', **columns)
    assert content.refs[0].ref['split'] == 'val'
    assert np.array_equal(masks_of(content)[0], objects(0, 1, 0))
    with pytest.raises(ValueError, match="has no column 'image'. Its columns are 'photo', 'text'.*--image-column NAME"):
        own.read(header=header)
    with pytest.raises(ValueError, match="has no column 'fold'.*the one of the split: --split-column NAME"):
        own.read(split_column='fold')


def test_what_is_left_out_is_counted_by_kind(own):
    content = own.read(['a.jpg', 'm.png', ''], ['c.jpg', 'm.png', 'one'], ['a.jpg', 'm.png', 'one'])
    assert len(content.refs) == 1
    assert content.left_out.counts == {'row without a sentence': 1, 'image without a file': 1}


@pytest.mark.parametrize('row, message, error', [
    (['a.jpg', 'none.png', 'one', ''], 'none.png, which is missing. Correct the path', FileNotFoundError),
    (['a.jpg', 'own.csv', 'one', ''], 'which is not a whole image .*Save it again as PNG', ValueError),
    (['a.jpg', 'small.png', 'one', ''], 'small.png was annotated at 20 x 30 pixels .* 40 x 60. Use', ValueError),
    (['a.jpg', 'empty.png', 'one', ''], 'in which all pixels are 0. Draw the object', ValueError),
    (['a.jpg', 'colours.png', 'one', ''], r'a picture of colours \(RGB\). .*one number a pixel', ValueError),
    (['a.jpg', 'm.png', 'one', '5'], 'has the value 5, but its mask .* has the values 0, 1', ValueError),
    (['a.jpg', 'm.png', 'one', '0'], "has the value '0', but the id of an object .* above 0", ValueError),
    (['a.jpg', 'm.png', 'one', 'cat'], "has the value 'cat', but the id", ValueError),
    (['a.jpg', 'm.png', 'one', 'inf'], "has the value 'inf', but the id", ValueError),
    (['', 'm.png', 'one', ''], 'has no image', ValueError),
    (['a.jpg', 'm.png'], 'has fewer cells than the header', ValueError),
    (['a.jpg', 'm.png', 'one', '', 'two'], 'has more cells than the header. .*double quotes', ValueError),
])
def test_what_is_broken_is_named(row, message, error, own):
    own.mask('small.png', objects(1, 0, 0)[:20, :30])
    own.mask('empty.png', objects(0, 0, 0))
    own.mask('colours.png', np.random.default_rng(0).integers(0, 255, (40, 60, 3)))
    with pytest.raises(error, match=message) as told:
        own.read(['b.jpg', 'm.png', 'fine', ''], row, header=[*HEADER, 'value'])
    assert 'own.csv: row 2 below the header' in str(told.value)


def test_other_files_and_as_refs_file(own, tmp_path):
    own.read(['a.jpg', 'm.png', 'one'])
    with pytest.raises(ValueError, match='is a CSV file with .*mmris convert_dataset csv own.csv'):
        read_samples('train', own.path, image_folder=tmp_path)
    (own.path.parent / 'own.json').write_text('[]')
    with pytest.raises(ValueError, match='own.json is not a CSV file. Name a file that ends with .csv'):
        convert('csv', own.path.parent / 'own.json', own.path.parent / 'images')
    with pytest.raises(ValueError, match='has no mask with a sentence on an image'):
        own.read()


@pytest.mark.parametrize('stored, named', [
    ('Cafe\u0301.jpg', 'Caf\u00e9.jpg'), ('Caf\u00e9.jpg', 'Cafe\u0301.jpg'), ('c.JPG', 'c.jpg'), ('c.jpg', 'c.JPG')])
def test_names_with_other_accents_or_endings_are_found(stored, named, own):
    images = own.path.parent / 'images'
    (images / 'a.jpg').rename(images / stored)
    content = own.read([named, 'm.png', 'one'], ['b.jpg', 'm.png', 'two'])
    assert [one.ref['file_name'] for one in content.refs] == [stored, 'b.jpg']
    (images / 'e\u0301').mkdir()
    (images / 'b.jpg').rename(images / 'e\u0301' / stored)
    assert own.read([f'\u00e9/{named}', 'm.png', 'one']).refs[0].ref['file_name'] == f'e\u0301/{stored}'


def test_the_very_name_wins_over_another_ending(own):
    images = own.path.parent / 'images'
    (images / 'b.jpg').rename(images / 'a.JPG')
    content = own.read(['a.JPG', 'm.png', 'one'], ['a.jpg', 'm.png', 'two'])
    assert [one.ref['file_name'] for one in content.refs] == ['a.JPG', 'a.jpg']
    with pytest.raises(ValueError, match='a.Jpg.*which could be any of a.JPG, a.jpg'):
        own.read(['a.Jpg', 'm.png', 'one'])
    (images / 'a.jpg').unlink()
    with pytest.raises(ValueError, match="have different images, 'a.jpg' and 'a.JPG', but .* has only a.JPG for both"):
        own.read(['a.JPG', 'm.png', 'one'], ['a.jpg', 'm.png', 'two'])


@pytest.mark.parametrize('content, message', [
    ('', 'own.csv is empty. The first line of a CSV file names its columns'),
    ('\n', 'own.csv has an empty first line. The first'),
])
def test_a_file_without_a_header_is_told(content, message, own):
    own.path.write_text(content)
    with pytest.raises(ValueError, match=message):
        convert('csv', own.path, own.path.parent / 'images')
