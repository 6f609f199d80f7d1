"""Label Studio's JSON export."""

import json

import numpy as np
import pytest
from PIL import Image

from mmris.datasets.readers.label_studio_brush import decode_brush
from mmris.datasets.set_check import check_set
from tests.datasets.readers.own_exports import (
    brush_value,
    convert,
    label_studio_task,
    pack_brush,
    polygon_value,
    region_items,
    splits_of_images,
    write_label_studio,
    write_refer,
)
from tests.datasets.readers.shaperef_forms import assert_same_samples, read_samples

SQUARE = [10, 10, 30, 10, 30, 20, 10, 20]


@pytest.fixture
def photos(tmp_path):
    """A folder of images of 40 x 60 pixels by name."""
    def make(*names):
        for name in names:
            path = tmp_path / 'photos' / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new('RGB', (60, 40)).save(path)
        return tmp_path / 'photos'

    return make


def write(tmp_path, *tasks):
    path = tmp_path / 'export' / 'project-3-at-2024-05-01-10-00-1a2b3c4d.json'
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(tasks))
    return path


def square(region='a1', sentences=('the red one', ), **changes):
    items = region_items(region, polygon_value(SQUARE, 40, 60), list(sentences), 40, 60)
    return [dict(item, **changes) for item in items]


ADDRESSES = {
    'upload': lambda number, name: f'/data/upload/3/{number:08x}-{name}',
    'local': lambda number, name: f'/data/local-files/?d=shapes/{name}',
    's3': lambda number, name: f's3://bucket/shapes/{name}',
    'http': lambda number, name: f'https://example.com/a%20b/{name}?width=3',
}


@pytest.mark.parametrize('kind', ADDRESSES)
def test_a_project_gives_the_samples_of_the_refer_files(kind, refer_folder, refer, tmp_path):
    path = tmp_path / 'project.json'
    write_label_studio(refer, path, ADDRESSES[kind])
    content = convert('label-studio', path, refer_folder / 'images')
    assert {one.ref['split'] for one in content.refs} == {'train'}
    assert not content.left_out.counts
    refs_file = write_refer(content, tmp_path / 'own', splits_of_images(refer))
    assert_same_samples(refer_folder, refs_file, ann_file=refs_file.parent / 'instances.json')
    report = check_set(
        instances_path=str(refs_file.parent / 'instances.json'), refs_path=str(refs_file),
        image_folder=str(refer_folder / 'images'), decode=True)
    assert report.is_fine, report.problems


def test_exports_of_several_projects_are_one_set(refer_folder, refer, tmp_path):
    for split in ('train', 'val'):
        write_label_studio(refer, tmp_path / f'project_{split}.json', ADDRESSES['local'], split=split)
    content = convert('label-studio', tmp_path / 'project_*.json', refer_folder / 'images')
    refs_file = write_refer(content, tmp_path / 'own', splits_of_images(refer))
    assert_same_samples(
        refer_folder, refs_file, splits=('train', 'val'), ann_file=refs_file.parent / 'instances.json')


def test_images_are_divided_by_shares(refer_folder, refer, tmp_path):
    path = tmp_path / 'project.json'
    write_label_studio(refer, path, ADDRESSES['local'])
    content = convert('label-studio', path, refer_folder / 'images', val_share=0.25, test_share=0.1, seed=3)
    images = {split: {one.ref['image_id'] for one in content.refs if one.ref['split'] == split}
              for split in ('train', 'val', 'test')}
    assert all(images.values())
    assert sum(map(len, images.values())) == len(set().union(*images.values())) == len(refer.images)


@pytest.mark.parametrize('sizes', [(3, 4, 8, 16), (1, 2, 3, 5)])
@pytest.mark.parametrize('literals', [True, False])
def test_brush_strokes_of_any_runs(sizes, literals):
    random = np.random.default_rng(0)
    for length in (1, 3, 70):
        alpha = np.repeat(random.integers(0, 2, 600), random.integers(1, length + 1, 600))[:40 * 60 // 4 * 4]
        alpha = np.resize(alpha, 40 * 60) * random.integers(1, 256, 40 * 60)
        colours = random.integers(0, 256, (40 * 60, 3))
        words = np.column_stack([colours, alpha]).ravel()
        mask = decode_brush(pack_brush(words, sizes, literals), 40, 60)
        assert np.array_equal(mask, (alpha > 0).reshape(40, 60))


@pytest.mark.parametrize('rle, message', [
    ([1, 2], 'end after 2 bytes'),
    ('abc', 'but a list of bytes is expected'),
    ([1, 300], 'but a list of bytes is expected'),
    ([1, None], 'but a list of bytes is expected'),
    (pack_brush(np.zeros(40, np.uint8)), 'have 40 values, but an image of 40 x 60 pixels'),
    (pack_brush(np.tile([0, 255], 4800))[:-50], 'before the last pixel'),
])
def test_broken_brush_strokes_name_the_region(rle, message, photos, tmp_path):
    items = region_items('a1', dict(brush_value(np.ones((40, 60))), rle=rle), ['the red one'], 40, 60)
    path = write(tmp_path, label_studio_task(7, 'a.jpg', items))
    with pytest.raises(ValueError, match=message) as error:
        convert('label-studio', path, photos('a.jpg'))
    assert f'{path}: region a1 of annotation 1007 of task 7' in str(error.value)
    assert 'Export the project again' in str(error.value)


def test_text_may_be_one_string_of_several_lines(photos, tmp_path):
    items = square()
    items[1]['value']['text'] = 'the RED one\n\n  the left   one '
    content = convert('label-studio', write(tmp_path, label_studio_task(1, 'a.jpg', items)), photos('a.jpg'))
    assert [(one['raw'], one['sent']) for one in content.refs[0].ref['sentences']] == [
        ('the RED one', 'the red one'), ('the left   one', 'the left one')]


def test_labels_apart_from_the_shape_make_no_second_region(photos, tmp_path):
    """<Polygon> with <Labels> and <Choices> gives four items of one region."""
    items = square()
    items[0].update(type='polygon')
    items.insert(1, dict(items[0], type='labels', from_name='labels'))
    items.insert(2, dict(items[0], type='choices', from_name='kind',
                         value=dict(items[0]['value'], choices=['car'])))
    items.append(dict(from_id='a1', to_id='a2', type='relation', direction='right'))
    content = convert('label-studio', write(tmp_path, label_studio_task(1, 'a.jpg', items)), photos('a.jpg'))
    assert len(content.refs) == 1 and len(content.instances['annotations']) == 1
    assert content.instances['categories'] == [dict(id=1, name='object')]


def test_what_is_left_out_is_counted_by_kind(photos, tmp_path):
    box = region_items('b', dict(x=1, y=1, width=5, height=5, rotation=0, rectanglelabels=['o']), ['a box'], 40, 60)
    point = region_items('c', dict(x=1, y=1, width=1, keypointlabels=['o']), None, 40, 60)
    whole = [dict(id='d', value=dict(text=['a street']), from_name='caption', to_name='image', type='textarea')]
    erased = region_items('e', brush_value(np.zeros((40, 60))), ['nothing'], 40, 60)
    unsaid = region_items('f', polygon_value(SQUARE, 40, 60), None, 40, 60)
    open_line = square('g')
    for item in open_line:
        item['value']['closed'] = False
    turned = square('h', image_rotation=90)
    skipped = label_studio_task(2, 'a.jpg', square('i'))
    skipped['annotations'][0]['was_cancelled'] = True
    predicted = label_studio_task(3, 'a.jpg', [], annotations=[], predictions=[dict(result=square('j'))])
    tasks = [
        label_studio_task(1, 'a.jpg', [*square(), *box, *point, *whole, *erased, *unsaid, *open_line, *turned]),
        skipped, predicted, label_studio_task(4, 'missing.jpg', square('k')),
        label_studio_task(5, 'data:image/png;base64,aaaa', square('l'), file_upload=None)]
    content = convert('label-studio', write(tmp_path, *tasks), photos('a.jpg'))
    assert len(content.refs) == 1
    assert content.left_out.counts == {
        'box, ellipse or point': 2, 'text without a region': 1, 'empty mask': 1, 'region without a sentence': 1,
        'open outline': 1, 'region on a rotated image': 1, 'skipped annotation': 1, 'task without an annotation': 1,
        'image without a file': 2}
    assert any(line.startswith('2 left out: box, ellipse or point; the first: ') and 'region b' in line
               for line in content.left_out.lines('left out'))


@pytest.mark.parametrize('address, names, found', [
    ('/data/upload/3/1a2b3c4d-photo.jpg', ['photo.jpg'], 'photo.jpg'),
    ('/data/upload/3/1a2b3c4d-photo.jpg', ['photo.jpg', '1a2b3c4d-photo.jpg'], '1a2b3c4d-photo.jpg'),
    ('/data/upload/3/1a2b3c4d-my_photo_1.jpg', ['my photo (1).jpg'], 'my photo (1).jpg'),
    ('/data/local-files/?d=b/photo.jpg', ['a/photo.jpg', 'b/photo.jpg'], 'b/photo.jpg'),
    ('s3://bucket/x/b/photo.jpg', ['a/photo.jpg', 'b/photo.jpg'], 'b/photo.jpg'),
    ('my%20photo.jpg', ['my%20photo.jpg', 'my photo.jpg'], 'my%20photo.jpg'),
    ('https://example.com/my%20photo.jpg', ['my%20photo.jpg', 'my photo.jpg'], 'my photo.jpg'),
])
def test_the_image_that_an_address_means(address, names, found, photos, tmp_path):
    path = write(tmp_path, label_studio_task(1, address, square(), file_upload=None))
    content = convert('label-studio', path, photos(*names))
    assert [image['file_name'] for image in content.instances['images']] == [found]


def test_the_name_of_the_upload_helps_where_the_address_does_not(photos, tmp_path):
    path = write(tmp_path, label_studio_task(1, '/image2', square(), file_upload='1a2b3c4d-photo.jpg'))
    content = convert('label-studio', path, photos('photo.jpg'))
    assert [image['file_name'] for image in content.instances['images']] == ['photo.jpg']


def test_an_image_that_several_files_could_be(photos, tmp_path):
    path = write(tmp_path, label_studio_task(1, '/data/upload/3/1a2b3c4d-photo.jpg', square()))
    with pytest.raises(ValueError, match='could be any of a/photo.jpg, b/photo.jpg'):
        convert('label-studio', path, photos('a/photo.jpg', 'b/photo.jpg'))


def test_two_uploads_of_one_name_are_not_taken_for_one_image(photos, tmp_path):
    path = write(tmp_path, *(label_studio_task(number, f'/data/upload/3/{number}a2b3c4d-photo.jpg', square())
                             for number in (1, 2)))
    with pytest.raises(ValueError, match='has only photo.jpg for both. Name the files there as the export does'):
        convert('label-studio', path, photos('photo.jpg'))
    (tmp_path / 'photos' / 'photo.jpg').unlink()
    content = convert('label-studio', path, photos('1a2b3c4d-photo.jpg', '2a2b3c4d-photo.jpg'))
    assert len(content.instances['images']) == 2


def test_several_text_areas_need_a_name(photos, tmp_path):
    items = [*square(), *region_items('a1', polygon_value(SQUARE, 40, 60), ['for later'], 40, 60, 'note')[1:]]
    path, folder = write(tmp_path, label_studio_task(1, 'a.jpg', items)), photos('a.jpg')
    with pytest.raises(ValueError, match="several text areas of regions: 'note', 'sentence'.*--text-key note"):
        convert('label-studio', path, folder)
    with pytest.raises(ValueError, match="has no 'sentences' .*There are: 'note', 'sentence'"):
        convert('label-studio', path, folder, text_key='sentences')
    content = convert('label-studio', path, folder, text_key='sentence')
    assert [one['raw'] for one in content.refs[0].ref['sentences']] == ['the red one']


def test_an_image_that_is_not_called_image(photos, tmp_path):
    folder = photos('a.jpg', 'b.jpg')
    data = dict(photo='a.jpg', mood='sunny')
    task = label_studio_task(1, 'x', square(), data=data, file_upload=None)
    content = convert('label-studio', write(tmp_path, task), folder)
    assert content.instances['images'][0]['file_name'] == 'a.jpg'
    task['data']['reference'] = 'b.jpg'
    with pytest.raises(ValueError, match="'photo', 'mood', 'reference'. Name it: --image-key NAME"):
        convert('label-studio', write(tmp_path, task), folder)
    content = convert('label-studio', write(tmp_path, task), folder, image_key='reference')
    assert content.instances['images'][0]['file_name'] == 'b.jpg'


JSON_MIN = [dict(image='/data/upload/3/a.jpg', id=1, label=[], annotator=1, annotation_id=1, lead_time=8.6,
                 created_at='', updated_at='')]


def test_json_min_is_refused(photos, tmp_path):
    path = tmp_path / 'export' / 'min.json'
    path.parent.mkdir()
    path.write_text(json.dumps(JSON_MIN))
    with pytest.raises(ValueError, match='JSON-MIN.* Export the project as JSON'):
        convert('label-studio', path, photos('a.jpg'))
    with pytest.raises(ValueError, match='JSON-MIN.* Export the project as JSON'):
        read_samples('train', path, image_folder=tmp_path)


def test_as_refs_file_it_names_the_conversion(photos, tmp_path):
    path = write(tmp_path, label_studio_task(1, 'a.jpg', square()))
    with pytest.raises(ValueError, match="is Label Studio's JSON export .*mmris convert_dataset label-studio "
                       "project-3-at"):
        read_samples('train', path, image_folder=photos('a.jpg'))


def broken(**changes):
    return [dict(item, **changes) for item in square()]


@pytest.mark.parametrize('tasks, message', [
    ([dict(data=dict(image='a.jpg'))], 'the task at position 0 lacks `data` or a list of `annotations`'),
    ([label_studio_task(1, 'a.jpg', [], annotations=[5])], 'the annotation at position 0 of task 1 lacks a list'),
    ([label_studio_task(1, 'a.jpg', broken(original_width='wide'))], 'lacks the size of its image.*Export'),
    ([label_studio_task(1, 'a.jpg', broken(original_width=30))],
     r'annotated at 40 x 30 pixels \(height x width\), but the image file has 40 x 60. Use the image that was'),
    ([label_studio_task(1, 'a.jpg', region_items('a1', dict(points=[[1, 'a']]), ['red'], 40, 60))],
     'has the points .*pairs of x and y in percent'),
    ([label_studio_task(1, 'a.jpg', region_items('a1', dict(points=[[1, 10**400]]), ['red'], 40, 60))],
     'has the points .*pairs of x and y in percent'),
    ([label_studio_task(1, 'a.jpg', region_items('a1', polygon_value(SQUARE, 40, 60), [5], 40, 60))],
     r'has the text \[5\], but a list of sentences'),
    ([label_studio_task(1, 'a.jpg', square()[:1])], 'has no text areas of regions. .*perRegion="true"'),
    ([label_studio_task(1, 'b.jpg', square())], 'has no mask with a sentence on an image.*1 left out: image without'),
    ([5], 'the task at position 0 lacks'),
])
def test_what_is_broken_is_named(tasks, message, photos, tmp_path):
    with pytest.raises(ValueError, match=message) as error:
        convert('label-studio', write(tmp_path, *tasks), photos('a.jpg'))
    assert 'project-3-at' in str(error.value)


def test_a_truncated_file_and_missing_folders(photos, tmp_path):
    path = write(tmp_path, label_studio_task(1, 'a.jpg', square()))
    folder = photos('a.jpg')
    with pytest.raises(FileNotFoundError, match='nowhere, the folder of the images of .*--images'):
        convert('label-studio', path, tmp_path / 'nowhere')
    path.write_text(path.read_text()[:-20])
    with pytest.raises(ValueError, match='is not a whole JSON file'):
        convert('label-studio', path, folder)
