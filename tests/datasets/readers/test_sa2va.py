"""Sa2VA's own data: texts with the masks of the same positions."""

import json

import pytest

from mmris.datasets.set_check import check_set
from tests.datasets.readers.shaperef_forms import SPLITS, ReferSet, assert_same_samples, make_shaperef, read_samples


@pytest.fixture(scope='module')
def refer_set(tmp_path_factory):
    return ReferSet(make_shaperef(tmp_path_factory.mktemp('set')))


def entries_of(refer_set, split):
    """An entry an image; an object with two sentences has its mask twice."""
    entries = {}
    for ref in refer_set.of_split(split):
        entry = entries.setdefault(ref['image_id'], dict(
            image=refer_set.images[ref['image_id']]['file_name'], mask=[], text=[]))
        for sentence in ref['sentences']:
            entry['mask'].append(refer_set.annotations[ref['ann_id']]['segmentation'])
            entry['text'].append(sentence['raw'])
    return list(entries.values())


@pytest.fixture
def data(refer_set, tmp_path):
    folder = tmp_path / 'my_data'
    folder.mkdir()
    for split in SPLITS:
        (folder / f'annotations_{split}.json').write_text(json.dumps(entries_of(refer_set, split)))
    return folder


def read(data, refer_set, name='annotations_val.json', split='val', **settings):
    return read_samples(split, data / name, image_folder=refer_set.folder / 'images', text_field='raw', **settings)


def check(data, refer_set, **settings):
    return check_set(
        instances_path=str(data / 'instances.json'), refs_path=str(data / 'annotations_val.json'),
        image_folder=str(refer_set.folder / 'images'), decode=True, **settings)


def change(data, edit):
    path = data / 'annotations_val.json'
    entries = json.loads(path.read_text())
    edit(entries[1])
    path.write_text(json.dumps(entries))


@pytest.mark.parametrize('name', ['', 'annotations_*.json'])
def test_files_by_their_splits(data, refer_set, name):
    assert_same_samples(refer_set.folder, data / name, text_field='raw')


def test_a_file_without_a_split_is_to_train_on(data, refer_set):
    """As the guide calls it, annotations.json."""
    (data / 'annotations_train.json').rename(data / 'annotations.json')
    assert_same_samples(refer_set.folder, data / 'annotations.json', splits=['train'], text_field='raw')
    with pytest.raises(ValueError, match="split 'val' is not in .*Splits there: train"):
        read(data, refer_set, 'annotations.json')


def test_the_check(data, refer_set):
    report = check(data, refer_set, text_field='raw')
    assert report.is_fine
    # Texts of one object are one ref.
    assert report.splits['val'].counts.refs == len(refer_set.of_split('val'))
    problem = check(data, refer_set).problems[0]
    assert "has no `sent`, only `raw`. Set text_field='raw'" in problem.message


def test_an_image_of_two_entries(data, refer_set):
    whole = read(data, refer_set)
    path = data / 'annotations_val.json'
    entries = [dict(one, mask=[mask], text=[text]) for one in entries_of(refer_set, 'val')
               for mask, text in zip(one['mask'], one['text'])]
    path.write_text(json.dumps(entries))
    assert read(data, refer_set) == whole and check(data, refer_set, text_field='raw').is_fine


def test_overlapping_polygons_are_united(data, refer_set):
    whole = read(data, refer_set)
    change(data, lambda entry: entry['mask'].__setitem__(0, entry['mask'][0] * 2))
    assert read(data, refer_set) == whole


@pytest.mark.parametrize('edit, message', [
    (lambda one: one.pop('mask'), 'entry at position 1 needs image, mask and text, but is'),
    (lambda one: one.update(image=5), 'entry at position 1 has image=5, but an image is the name of its file'),
    (lambda one: one.update(text='the man'), "has text='the man', but needs a list with one text for each object"),
    (lambda one: one.update(mask={}), r'has mask=\{\}, but needs a list with one mask for each object'),
    (lambda one: one['text'].append('more'), r'has (\d+) masks and \d+ texts, but each text belongs to the mask'),
    (lambda one: one['mask'].__setitem__(0, []), r'is empty: the segmentation of annotation val-1-0 in'),
    (lambda one: one['mask'].__setitem__(0, [1, 2, 3, 4, 5, 6]), r'without the outer list: write \[\[1, 2, 3'),
    (lambda one: one['mask'].__setitem__(0, 'a.png'), "this is the path of a mask file, 'a.png'.*convert_dataset csv"),
    (lambda one: one['text'].__setitem__(0, None), r'is empty \(raw=None\)'),
    (lambda one: one.update(image='none.jpg'), 'none.jpg, the image of ref .* is missing'),
])
def test_faults_of_an_entry(data, refer_set, edit, message):
    change(data, edit)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        read(data, refer_set)


@pytest.mark.parametrize('content, message', [
    ('[{"image": "a.jpg", ', 'annotations_val.json is not a whole JSON file .* Fetch or make it again'),
    ('{"image": "a.jpg", "mask": [], "text": []}', 'annotations_val.json holds a dict, but a refs file is a list'),
])
def test_truncated_or_foreign_files(data, refer_set, content, message):
    (data / 'annotations_val.json').write_text(content)
    with pytest.raises(ValueError, match=message):
        read(data, refer_set)


def test_a_foreign_file_beside_a_good_one(data, refer_set):
    (data / 'annotations_testB.json').write_text('{}')
    with pytest.raises(ValueError, match="annotations_testB.json holds a dict, but Sa2VA's annotations are a list"):
        read(data, refer_set, 'annotations_*.json', 'test')


def test_equal_texts_on_two_objects_stay_two(data, refer_set):
    change(data, lambda entry: entry.update(text=['shape'] * len(entry['text'])))
    counts, = (counts for counts in read(data, refer_set).values() if {text for text, _ in counts} == {'shape'})
    entry = entries_of(refer_set, 'val')[1]
    assert counts.total() == len(entry['text']) and len(counts) == len({str(mask) for mask in entry['mask']}) > 1
