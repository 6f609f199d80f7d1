"""CVAT's XML of images."""

import numpy as np
import pytest
from PIL import Image

from mmris.datasets.masks import decode_segmentation
from mmris.datasets.set_check import check_set
from tests.datasets.readers.own_exports import (
    TEXT_AREA,
    convert,
    cvat_attribute,
    cvat_file,
    cvat_image,
    cvat_mask,
    cvat_polygon,
    cvat_shape,
    splits_of_images,
    write_cvat,
    write_refer,
)
from tests.datasets.readers.shaperef_forms import assert_same_samples, read_samples

SQUARE = [10, 10, 30, 10, 30, 20, 10, 20]
SAID = {TEXT_AREA: 'the red one'}


@pytest.fixture
def read(tmp_path):
    """Convert a file with this text beside images a.jpg and b.jpg of 40 x 60 pixels."""
    (tmp_path / 'export' / 'images').mkdir(parents=True)
    for name in ('a.jpg', 'b.jpg'):
        Image.new('RGB', (60, 40)).save(tmp_path / 'export' / 'images' / name)

    def run(text, **options):
        path = tmp_path / 'export' / 'annotations.xml'
        path.write_text(text, encoding='utf-8')
        return convert('cvat', path, tmp_path / 'export' / 'images', **options)

    return run


def one_image(*shapes, name='a.jpg'):
    return cvat_image(0, name, 40, 60, ''.join(shapes))


@pytest.mark.parametrize('subsets', [False, True])
def test_a_task_gives_the_samples_of_the_refer_files(subsets, refer_folder, refer, tmp_path):
    """Subsets of a project (Train, Validation) become the splits; without them all is in train."""
    path = tmp_path / 'annotations.xml'
    write_cvat(refer, path, subsets=subsets)
    content = convert('cvat', path, refer_folder / 'images')
    assert not content.left_out.counts
    if not subsets:
        assert {one.ref['split'] for one in content.refs} == {'train'}
    refs_file = write_refer(content, tmp_path / 'own', None if subsets else splits_of_images(refer))
    assert_same_samples(refer_folder, refs_file, ann_file=refs_file.parent / 'instances.json')
    report = check_set(
        instances_path=str(refs_file.parent / 'instances.json'), refs_path=str(refs_file),
        image_folder=str(refer_folder / 'images'), decode=True)
    assert report.is_fine, report.problems


def test_subsets_win_over_shares(read):
    text = ''.join(cvat_image(number, name, 40, 60, cvat_polygon(SQUARE, SAID), subset)
                   for number, (name, subset) in enumerate([('a.jpg', 'Validation'), ('b.jpg', 'default')]))
    assert [one.ref['split'] for one in read(cvat_file(text)).refs] == ['val', 'train']
    with pytest.raises(ValueError, match=r'1 image\(s\) are too few for --val-share 0.5'):
        read(cvat_file(text), val_share=0.5)


def test_a_mask_at_the_edges_of_the_image_is_exact(read):
    random = np.random.default_rng(0)
    for box in (np.s_[:7, :5], np.s_[30:, 50:], np.s_[12:13, 3:9], np.s_[:, :]):
        mask = np.zeros((40, 60), np.uint8)
        mask[box] = random.integers(0, 2, mask[box].shape)
        segmentation, = (one['segmentation'] for one in
                         read(cvat_file(one_image(cvat_mask(mask, SAID)))).instances['annotations'])
        assert np.array_equal(decode_segmentation(segmentation, 40, 60), mask)


def test_a_sentence_a_line_with_marks_and_entities(read):
    text = 'the "red" one <left> & right | middle\n\n  der große Ball \U0001f534 '
    content = read(cvat_file(one_image(cvat_polygon(SQUARE, {TEXT_AREA: text}))))
    assert [one['raw'] for one in content.refs[0].ref['sentences']] == [
        'the "red" one <left> & right | middle', 'der große Ball \U0001f534']


@pytest.mark.parametrize('encoding', ['utf-16-le', 'utf-16-be'])
def test_files_in_utf_16_are_read(encoding, read, tmp_path):
    text = cvat_file(one_image(cvat_polygon(SQUARE, {TEXT_AREA: 'der große Ball'})))
    assert 'encoding="utf-8"' in text
    path = tmp_path / 'export' / 'annotations.xml'
    path.write_bytes(f'\ufeff{text}'.replace('encoding="utf-8"', 'encoding="utf-16"').encode(encoding))
    content = convert('cvat', path, tmp_path / 'export' / 'images')
    assert [one['raw'] for one in content.refs[0].ref['sentences']] == ['der große Ball']


def test_what_is_left_out_is_counted_by_kind(read):
    shapes = [
        cvat_polygon(SQUARE, SAID), cvat_shape('box', dict(xtl=1, ytl=1, xbr=9, ybr=9), SAID),
        cvat_shape('box', dict(xtl=1, ytl=1, xbr=9, ybr=8), {}),
        cvat_shape('points', dict(points='1,2'), {}), cvat_shape('tag', {}, SAID), cvat_polygon(SQUARE, {}),
        cvat_polygon(SQUARE, {TEXT_AREA: ' '}),
        cvat_shape('mask', dict(rle='6', left=0, top=0, width=2, height=3), SAID)]
    content = read(cvat_file(one_image(*shapes) + one_image(cvat_polygon(SQUARE, SAID), name='c.jpg')))
    assert len(content.refs) == 1
    assert content.left_out.counts == {
        'box': 2, 'points': 1, 'tag': 1, 'shape without a sentence': 2, 'empty mask': 1, 'image without a file': 1}


def test_the_attribute_of_text_is_found_by_its_type(read):
    """Others, such as a choice of colours, do not matter."""
    attributes = cvat_attribute('colour', 'select') + cvat_attribute('description', 'text')
    shape = cvat_polygon(SQUARE, dict(colour='red', description='the red one'))
    content = read(cvat_file(one_image(shape), attributes))
    assert [one['raw'] for one in content.refs[0].ref['sentences']] == ['the red one']


def test_several_attributes_of_text_need_a_name(read):
    attributes = cvat_attribute('note', 'text') + cvat_attribute('description', 'text')
    text = cvat_file(one_image(cvat_polygon(SQUARE, dict(note='later', description='the red one'))), attributes)
    with pytest.raises(ValueError, match="several attributes of text: 'description', 'note'.*--text-key description"):
        read(text)
    assert [one['raw'] for one in read(text, text_key='note').refs[0].ref['sentences']] == ['later']
    with pytest.raises(ValueError, match="has no 'notes' .*There are: 'description', 'note'"):
        read(text, text_key='notes')


def test_images_in_folders_of_subsets(read, tmp_path):
    for subset in ('Train', 'Test'):
        (tmp_path / 'export' / 'images' / subset).mkdir()
        Image.new('RGB', (60, 40)).save(tmp_path / 'export' / 'images' / subset / 'c.jpg')
    content = read(cvat_file(one_image(cvat_polygon(SQUARE, SAID), name='Train/c.jpg')))
    assert content.instances['images'][0]['file_name'] == 'Train/c.jpg'
    with pytest.raises(ValueError, match='could be any of Test/c.jpg, Train/c.jpg'):
        read(cvat_file(one_image(cvat_polygon(SQUARE, SAID), name='c.jpg')))


MASK = dict(rle='1, 2, 3', left=5, top=6, width=3, height=2)


@pytest.mark.parametrize('shape, message', [
    (cvat_shape('polygon', dict(points='1,2;3'), SAID), "has the points '1,2;3', but pairs of pixels"),
    (cvat_shape('polygon', dict(points='1,2;3,x'), SAID), 'but pairs of pixels'),
    (cvat_shape('polygon', {}, SAID), 'but pairs of pixels'),
    (cvat_shape('mask', dict(MASK, rle='1, 2'), SAID), 'but runs of background and object .* box of 2 x 3'),
    (cvat_shape('mask', dict(MASK, rle='1, -2, 7'), SAID), 'but runs of background'),
    (cvat_shape('mask', dict(MASK, rle='a'), SAID), 'but runs of background'),
    (cvat_shape('mask', dict(MASK, left=58), SAID), 'left 58, top 6 of 2 x 3 .* not on its image of 40 x 60'),
    (cvat_shape('mask', dict(MASK, left=-1), SAID), 'not on its image'),
    (cvat_shape('mask', dict(MASK, left='x'), SAID), "<mask> has left 'x', top '6'.* whole numbers"),
])
def test_what_is_broken_is_named(shape, message, read):
    with pytest.raises(ValueError, match=message) as error:
        read(cvat_file(one_image(cvat_polygon(SQUARE, SAID), shape)))
    tag = shape.split()[0][1:]
    assert f'annotations.xml: <{tag}> 1 of image a.jpg' in str(error.value)
    assert 'Export the task again' in str(error.value)


def test_an_image_of_another_size(read):
    with pytest.raises(ValueError, match='annotated at 80 x 120 pixels .* the image file has 40 x 60. Use the'):
        read(cvat_file(cvat_image(0, 'a.jpg', 80, 120, cvat_polygon(SQUARE, SAID))))


@pytest.mark.parametrize('text, message', [
    ('<?xml version="1.0"?><annotations><track id="0" label="car"/></annotations>',
     'export of a video .* "CVAT for images 1.1"'),
    ('<?xml version="1.0"?><svg/>', 'not an XML file of CVAT, which begins with <annotations>'),
    ('<?xml version="1.0"?><annotations><image id="0" name="a.jpg"', 'not a whole XML file'),
    ('<?xml version="1.0"?><annotations/>', 'has no attributes of text'),
    (cvat_file(one_image(cvat_polygon(SQUARE, SAID), name='')), "the image of id '0' has no name"),
    ('<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "' + 9 * 'lol' + '">]><annotations>&b;</annotations>',
     'has a DOCTYPE .* remove the DOCTYPE'),
    ('<?xml version="1.0" encoding="klingon"?><annotations/>', 'not a whole XML file'),
])
def test_other_files_are_refused(text, message, read):
    with pytest.raises(ValueError, match=message):
        read(text)


def test_as_refs_file_it_names_the_conversion(read, tmp_path):
    read(cvat_file(one_image(cvat_polygon(SQUARE, SAID))))
    with pytest.raises(ValueError, match="is CVAT's XML .*mmris convert_dataset cvat annotations.xml"):
        read_samples('train', tmp_path / 'export' / 'annotations.xml', image_folder=tmp_path)
