"""PhraseCut: phrases of several objects on images of Visual Genome."""

import json
import shutil
from collections import Counter

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from mmris.datasets.masks import union_of_segmentations
from mmris.datasets.set_check import check_set
from tests.datasets.readers.shaperef_forms import SPLITS, ReferSet, make_shaperef, read_samples


@pytest.fixture(scope='module')
def refer_set(tmp_path_factory):
    return ReferSet(make_shaperef(tmp_path_factory.mktemp('set')))


def to_points(polygon):
    return [[x, y] for x, y in zip(polygon[::2], polygon[1::2])]


def task_of(refer_set, image_id, ids, phrase, number):
    objects = [refer_set.annotations[one] for one in ids]
    return dict(
        task_id=f'{image_id}__{"_".join(map(str, ids))}_{number}',
        image_id=image_id,
        ann_ids=ids,
        instance_boxes=[one['bbox'] for one in objects],
        Polygons=[[to_points(polygon) for polygon in one['segmentation']] for one in objects],
        phrase=phrase,
        phrase_structure=dict(name=phrase, attributes=[], relation_ids=[], relation_descriptions=[], type='name'))


@pytest.fixture
def data(refer_set, tmp_path):
    """A folder as the downloader of PhraseCut makes it: a file a split, and files that are not needed beside them."""
    folder = tmp_path / 'VGPhraseCut_v0'
    (folder / 'images').mkdir(parents=True)
    information = []
    for split in SPLITS:
        tasks, images = [], {}
        for ref in refer_set.of_split(split):
            images[ref['image_id']] = refer_set.images[ref['image_id']]
            for sentence in ref['sentences']:
                tasks.append(task_of(refer_set, ref['image_id'], [ref['ann_id']], sentence['sent'], len(tasks)))
        for image_id, image in images.items():
            ids = [one['id'] for one in refer_set.annotations.values() if one['image_id'] == image_id]
            tasks.append(task_of(refer_set, image_id, ids, 'shapes', len(tasks)))
            shutil.copy(refer_set.folder / 'images' / image['file_name'], folder / 'images' / f'{image_id}.jpg')
            information.append(dict(
                image_id=image_id, coco_id=None, flickr_id=None, width=image['width'], height=image['height'], url='',
                split=split))
        (folder / f'refer_{split}.json').write_text(json.dumps(tasks))
        (folder / f'refer_input_{split}.json').write_text(json.dumps([
            {key: task[key] for key in ('task_id', 'image_id', 'phrase')} for task in tasks]))
        # Not opened: they are of another form, and large.
        (folder / f'scene_graphs_{split}.json').write_text('[')
    (folder / 'refer_miniv.json').write_text(json.dumps(json.loads((folder / 'refer_val.json').read_text())[:3]))
    (folder / 'image_data_split3000.json').write_text(json.dumps(information))
    (folder / 'name_att_rel_count.json').write_text('{}')
    (folder / 'skip.json').write_text('[]')
    return folder


def wanted_of(refer_set, split):
    """By the name of an image the phrases with their masks."""
    found = {}
    for name, counts in read_samples(split, 'refs(unc).p', data_root=refer_set.folder, image_folder='images').items():
        image = next(one for one in refer_set.images.values() if one['file_name'] == name)
        whole = union_of_segmentations(
            [one['segmentation'] for one in refer_set.annotations.values() if one['image_id'] == image['id']],
            image['height'], image['width'])
        rle = coco_mask.encode(np.asfortranarray(whole))['counts']
        found[f'{image["id"]}.jpg'] = counts + Counter([('shapes', (image['height'], image['width'], rle))])
    return found


def read(data, split, refs_file='', **settings):
    return read_samples(split, data / refs_file, image_folder=data / 'images', **settings)


def check(data, refs_file=''):
    return check_set(
        instances_path=str(data / 'instances.json'), refs_path=str(data / refs_file),
        image_folder=str(data / 'images'), decode=True)


def change(data, edit, split='val'):
    path = data / f'refer_{split}.json'
    tasks = json.loads(path.read_text())
    edit(tasks)
    path.write_text(json.dumps(tasks))


@pytest.mark.parametrize('split', SPLITS)
def test_all_splits_of_the_folder(data, refer_set, split):
    wanted = wanted_of(refer_set, split)
    assert len(wanted) >= 3 and read(data, split) == wanted
    assert read(data, split, f'refer_{split}.json') == wanted
    # Sizes come from the image data, or else from the images.
    (data / 'image_data_split3000.json').unlink()
    assert read(data, split) == wanted


def test_the_check(data, refer_set):
    report = check(data)
    assert report.is_fine and set(report.splits) == set(SPLITS)
    assert report.splits['val'].counts.sentences == sum(
        counts.total() for counts in wanted_of(refer_set, 'val').values())


def test_the_split_for_debugging(data):
    found = read(data, 'miniv', 'refer_miniv.json')
    assert sum(counts.total() for counts in found.values()) == 3
    assert check(data, 'refer_miniv.json').is_fine


def test_a_file_of_another_name_has_the_split_of_its_images(data, refer_set):
    shutil.move(data / 'refer_val.json', data / 'mine.json')
    assert read(data, 'val', 'mine.json') == wanted_of(refer_set, 'val')


def test_objects_stay_known(data, refer_set):
    """Each is an annotation with its box."""
    change(data, lambda tasks: tasks[-1].update(instance_boxes=[[0, 0, 1, 1]] * len(tasks[-1]['instance_boxes'])))
    note, = check(data, 'refer_val.json').notes or [check(data, 'refer_val.json').problems[0].message]
    count = len(json.loads((data / 'refer_val.json').read_text())[-1]['Polygons'])
    assert f'{count} of ' in note and 'has the box [0, 0, 1, 1], but its mask is in' in note


def test_short_polygons_beside_good_ones(data, refer_set):
    change(data, lambda tasks: tasks[0]['Polygons'][0].append([[1, 1], [2, 2]]))
    assert read(data, 'val') == wanted_of(refer_set, 'val')


@pytest.mark.parametrize('edit, message', [
    (lambda task: task.update(Polygons=[]), r'is empty: the segmentation of annotation .* in .*VGPhraseCut_v0.* is'),
    (lambda task: task.update(Polygons=[[]]), r'is empty: the segmentation of annotation'),
    (lambda task: task.update(Polygons=[[[[1, 2]]]]), r'needs three or more points, but this has 1'),
    (lambda task: task.update(Polygons=[[[[1, 2], [3]]]]), r'a polygon is a list of x, y pairs, but this is \[\[1'),
    (lambda task: task.update(Polygons=[5]), 'a segmentation is a list of polygons or an RLE dict, but this is 5'),
    (lambda task: task.update(Polygons={}), r'task at position 1 has Polygons=\{\}, but they are a list of objects'),
    (lambda task: task.pop('Polygons'), 'task at position 1 lacks Polygons, as tasks of refer_input_<split>.json do'),
    (lambda task: task.pop('task_id'), 'task at position 1 lacks ref_id'),
    (lambda task: task.pop('image_id'), 'task at position 1 lacks image_id'),
    (lambda task: task.update(image_id=[1]), r'has image_id=\[1\], but ids are'),
    (lambda task: task.pop('phrase'), r'is empty \(sent=None\)'),
    (lambda task: task.update(image_id=777), r'777.jpg, the image of ref .*, is missing. Set data_prefix.img_path'),
])
def test_faults_of_a_task(data, edit, message):
    change(data, lambda tasks: edit(tasks[1]))
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        read(data, 'val')


def test_a_task_that_is_none(data):
    change(data, lambda tasks: tasks.append('task'))
    with pytest.raises(ValueError, match=r'refer_val.json: task at position \d+ lacks ref_id, ann_id'):
        read(data, 'val')


@pytest.mark.parametrize('name, content, message', [
    ('refer_val.json', '[{"task_id": ', 'refer_val.json is not a whole JSON file .* Fetch or make it again'),
    ('refer_test.json', '{}', "refer_test.json holds a dict, but PhraseCut's refer_<split>.json is a list of tasks"),
    ('image_data_split3000.json', '{}', 'image_data_split3000.json holds a dict, but .* or remove it: sizes are then'),
    ('image_data_split3000.json', '[{"image_id"', 'image_data_split3000.json is not a whole JSON file'),
])
def test_truncated_or_foreign_files(data, name, content, message):
    (data / name).write_text(content)
    with pytest.raises(ValueError, match=message):
        check(data)


def test_inputs_alone(data):
    with pytest.raises(ValueError, match='lacks Polygons, .* Take refer_<split>.json'):
        read(data, 'val', 'refer_input_val.json')
