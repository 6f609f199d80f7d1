"""aRefCOCO: sentences of its own for refs of two sets."""

import json
import pickle
import shutil

import pytest

from mmris.datasets.set_check import check_set
from tests.datasets.readers.shaperef_forms import SPLITS, ReferSet, assert_same_samples, read_samples


@pytest.fixture
def data(refer_folder, tmp_path):
    """The published layout: folders side by side. Both sets count their refs from 0."""
    refer_set = ReferSet(refer_folder)
    parts = dict(refcoco=refer_set.refs[::2], refcocog=refer_set.refs[1::2])
    entries = []
    for name, by in (('refcoco', 'unc'), ('refcocog', 'umd')):
        (tmp_path / name).mkdir()
        refs = []
        for number, ref in enumerate(parts[name]):
            texts = [one['sent'] for one in ref['sentences']]
            entries.append(dict(
                entity_id=len(entries), ref_id=number, original_dataset=name, split=ref['split'], descriptions=texts,
                category_name='circle'))
            # Original splits and sentences are others.
            refs.append(dict(ref, ref_id=number, split='train', sentences=[
                dict(sent_id=number, sent='another', raw='another', tokens=[])]))
        (tmp_path / name / f'refs({by}).p').write_bytes(pickle.dumps(refs, protocol=2))
        shutil.copy(refer_folder / 'instances.json', tmp_path / name)
    (tmp_path / 'arefcoco').mkdir()
    write(tmp_path, dict(info={}, annotations=entries))
    return tmp_path


def write(data, value):
    (data / 'arefcoco/arefcoco.json').write_text(json.dumps(value))


def change(data, edit):
    value = json.loads((data / 'arefcoco/arefcoco.json').read_text())
    edit(value['annotations'])
    write(data, value)


def read(data, refer_folder, split='val', **settings):
    return read_samples(split, data / 'arefcoco/arefcoco.json', image_folder=refer_folder / 'images', **settings)


def check(data, refer_folder):
    return check_set(
        instances_path=str(data / 'instances.json'), refs_path=str(data / 'arefcoco/arefcoco.json'),
        image_folder=str(refer_folder / 'images'), decode=True)


def test_the_published_layout(data, refer_folder):
    assert_same_samples(refer_folder, data / 'arefcoco/arefcoco.json')
    report = check(data, refer_folder)
    assert report.is_fine and set(report.splits) == set(SPLITS)


def test_the_sets_beside_the_file(data, refer_folder):
    for name in ('refcoco', 'refcocog'):
        shutil.move(data / name, data / 'arefcoco' / name)
    assert_same_samples(refer_folder, data / 'arefcoco/arefcoco.json')


def test_an_object_of_both_sets_is_one_only_if_its_masks_are_equal(data, refer_folder):
    refs = pickle.loads((data / 'refcoco/refs(unc).p').read_bytes())
    (data / 'refcocog/refs(umd).p').write_bytes(pickle.dumps(refs))
    change(data, lambda entries: entries.__setitem__(slice(None), [
        dict(entries[0], split='val', original_dataset=name, descriptions=[name]) for name in ('refcoco', 'refcocog')]))
    target = refs[0]['ann_id']
    (_, mask), (_, other) = (one for counts in read(data, refer_folder).values() for one in counts)
    assert mask == other
    path = data / 'refcocog/instances.json'
    instances = json.loads(path.read_text())
    entry = next(one for one in instances['annotations'] if one['id'] == target)
    left, top = entry['bbox'][:2]
    entry['segmentation'] = [[left, top, left + 4, top, left + 4, top + 4, left, top + 4]]
    path.write_text(json.dumps(instances))
    found = {text: rle for counts in read(data, refer_folder).values() for text, rle in counts}
    assert found['refcoco'] == mask and found['refcocog'] != mask
    assert check(data, refer_folder).is_fine


def test_a_ref_described_twice(data, refer_folder):
    change(data, lambda entries: entries.append(dict(entries[0], entity_id=99, split='val', descriptions=['again'])))
    assert check(data, refer_folder).is_fine
    assert 'again' in {text for counts in read(data, refer_folder).values() for text, _ in counts}


@pytest.mark.parametrize('name, file', [('refcoco', 'refs(unc).p'), ('refcocog', 'refs(umd).p'),
                                        ('refcoco', 'instances.json'), ('refcocog', 'instances.json')])
def test_a_missing_file_is_named_with_the_places_that_were_tried(data, refer_folder, name, file):
    (data / name / file).unlink()
    with pytest.raises(FileNotFoundError) as error:
        read(data, refer_folder)
    assert f'{name}/{file} is missing. Looked for {data / name / file} and {data / "arefcoco" / name / file}.' in str(
        error.value)
    assert f'mmris download {name}' in str(error.value)


def test_a_set_that_no_entry_names_is_not_needed(data, refer_folder):
    shutil.rmtree(data / 'refcocog')
    change(data, lambda entries: entries.__setitem__(slice(None), [
        one for one in entries if one['original_dataset'] == 'refcoco']))
    assert len(read(data, refer_folder)) >= 3


@pytest.mark.parametrize('edit, message', [
    (lambda one: one.pop('ref_id'), 'annotation at position 1 lacks ref_id, original_dataset or descriptions'),
    (lambda one: one.update(original_dataset='refcoco+'), "has original_dataset='refcoco\\+', but masks are taken from "
                                                         'refcoco and refcocog'),
    (lambda one: one.update(original_dataset=['refcoco']), "has original_dataset=\\['refcoco'\\], but masks"),
    (lambda one: one.update(ref_id=None), 'has ref_id=None, but ids are'),
    (lambda one: one.update(ref_id=777), r'is about ref 777, which .*refs\(unc\).p does not have. Take the refs\(unc'),
    (lambda one: one.pop('split'), 'annotation at position 1 lacks split'),
    (lambda one: one.update(split='val', descriptions='he'), "has sentences='he', but sentences are a list of dicts"),
    (lambda one: one.update(split='val', descriptions=[]), 'has no sentence'),
    (lambda one: one.update(split='val', descriptions=[None]), r'is empty \(sent=None\)'),
])
def test_faults_of_an_entry(data, refer_folder, edit, message):
    change(data, lambda entries: edit(entries[1]))
    with pytest.raises(ValueError, match=message):
        read(data, refer_folder)


@pytest.mark.parametrize('path, content, message', [
    ('arefcoco/arefcoco.json', '{"annotations": [{"ref_id": 1', 'arefcoco.json is not a whole JSON file'),
    ('refcoco/refs(unc).p', '{"refs": []}', r'refs\(unc\).p holds a dict, but a refs file is a list of refs. Take the'),
    ('refcocog/instances.json', '[1]', 'instances.json is not a COCO annotation file.* Take the instances.json of'),
    ('refcocog/instances.json', '{"images": [', 'instances.json is not a whole JSON file'),
])
def test_truncated_or_foreign_files(data, refer_folder, path, content, message):
    (data / path).write_text(content)
    with pytest.raises(ValueError, match=message):
        read(data, refer_folder)


def test_an_annotation_that_the_original_set_lacks(data, refer_folder):
    path = data / 'refcoco/instances.json'
    instances = json.loads(path.read_text())
    gone = pickle.loads((data / 'refcoco/refs(unc).p').read_bytes())[0]['ann_id']
    instances['annotations'] = [one for one in instances['annotations'] if one['id'] != gone]
    path.write_text(json.dumps(instances))
    problem, = check(data, refer_folder).problems
    assert problem.kind == 'missing annotation' and f'points to annotation {gone}, which' in problem.message
