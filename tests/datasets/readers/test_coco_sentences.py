"""COCO annotations that carry sentences."""

import json
import pickle
from dataclasses import replace

import pytest

from mmris.datasets.problems import ProblemTally, raise_problem
from mmris.datasets.readers import read_content
from mmris.datasets.refer_files import read_refer_files
from mmris.datasets.referred_images import Reading
from mmris.datasets.set_check import check_set
from mmris.datasets.writers.coco import write_coco as write_own_coco
from mmris.datasets.writers.preparation import prepare_set
from tests.datasets.readers.own_exports import convert, write_coco
from tests.datasets.readers.shaperef_forms import SPLITS, assert_same_samples, read_samples

WAYS = {
    'list': lambda one, sentences: dict(one, sentences=sentences),
    'caption': lambda one, sentences: dict(one, caption='\n'.join(sentences)),
    # As CVAT exports an attribute of text beside its own.
    'attributes': lambda one, sentences: dict(
        one, attributes=dict(description='\n'.join(sentences), occluded=False, rotation=0.0)),
}


@pytest.mark.parametrize('way', WAYS)
@pytest.mark.parametrize('renumber', [False, True])
def test_files_of_splits_are_read_as_they_are(way, renumber, refer_folder, refer, tmp_path):
    """Also where each file numbers its images and annotations from 1, as exports of several tasks do."""
    folder = tmp_path / 'own'
    folder.mkdir()
    for split in SPLITS:
        write_coco(refer, folder / f'instances_{split}.json', WAYS[way], split=split, renumber=renumber)
    for name in (folder, folder / 'instances_*.json'):
        assert_same_samples(refer_folder, name, ann_file='none.json')
    report = check_set(
        instances_path='none.json', refs_path=str(folder), image_folder=str(refer_folder / 'images'), decode=True)
    assert report.is_fine, report.problems
    assert {split: found.counts.refs for split, found in report.splits.items()} == {
        split: len(refer.of_split(split)) for split in SPLITS}
    assert [note for note in report.notes if 'annotation without a sentence' in note]


def test_files_that_we_write_are_read(refer_folder, tmp_path):
    images, problems = str(refer_folder / 'images'), ProblemTally()
    files = read_refer_files(str(refer_folder / 'instances.json'), str(refer_folder / 'refs(unc).p'))
    written = tmp_path / 'own'
    written.mkdir()
    write_own_coco(prepare_set(files, Reading(images, 'sent', raise_problem, problems)), written, raise_problem)
    assert_same_samples(refer_folder, written, ann_file='none.json')


def write_with_splits(refer_folder, folder, names):
    """Write the set as ``convert_dataset --to coco`` does, with other names for its splits."""
    files = read_refer_files(str(refer_folder / 'instances.json'), str(refer_folder / 'refs(unc).p'))
    for ref in files.refs:
        ref['split'] = names.get(ref['split'], ref['split'])
    reading = Reading(str(refer_folder / 'images'), 'sent', raise_problem, ProblemTally())
    folder.mkdir(parents=True)
    return write_own_coco(prepare_set(replace(files, splits=[]), reading), folder, raise_problem)


NAMES = dict(train='Mine', val='../../evil', testA='my-train', testB='Ümläut "5"')


def test_own_names_of_splits_come_back(refer_folder, refer, tmp_path):
    folder = tmp_path / 'a/b/out'
    paths = write_with_splits(refer_folder, folder, NAMES)
    assert {path.name for path in paths} == {'Mine.json', '______evil.json', 'my_train.json', 'Ümläut__5_.json'}
    assert {path for path in tmp_path.rglob('*.json')} == set(paths) == set(folder.iterdir())

    def check(path):
        report = check_set(instances_path='none.json', refs_path=str(path), image_folder=str(refer_folder / 'images'))
        assert report.is_fine
        return {split: found.counts.refs for split, found in report.splits.items()}

    wanted = {own: len(refer.of_split(split)) for split, own in NAMES.items()}
    assert check(folder) == check(folder / '*.json') == wanted
    assert check(folder / 'Mine.json') == {'Mine': wanted['Mine']}
    for split, own in NAMES.items():
        samples = read_samples(split, 'refs(unc).p', image_folder='images', data_root=refer_folder)
        assert read_samples(own, folder, image_folder=refer_folder / 'images', ann_file='none.json') == samples
    # Those of files that are not read too.
    assert set(read_content(str(folder), splits=['Mine'])[1]) == set(NAMES.values())
    # As an editor saves it.
    (folder / 'Mine.json').write_text(json.dumps(json.loads((folder / 'Mine.json').read_text()), indent=1))
    assert check(folder / 'Mine.json') == {'Mine': wanted['Mine']}


def test_splits_of_one_file_name_are_refused(refer_folder, tmp_path):
    with pytest.raises(ValueError, match="the splits 'Mine' and 'mine' would both be written to mine.json. Rename one"):
        write_with_splits(refer_folder, tmp_path / 'out', dict(train='mine', val='Mine'))


def test_a_split_in_the_info_of_others_is_not_taken(refer_folder, refer, tmp_path):
    path = tmp_path / 'val.json'
    write_coco(refer, path, WAYS['list'])
    value = json.loads(path.read_text())
    path.write_text(json.dumps(dict(value, info=dict(description='Ours', split='2014'))))
    assert {one.ref['split'] for one in convert('coco-sentences', path, refer_folder / 'images').refs} == {'val'}


def test_a_file_without_a_split_is_train_or_divided(refer_folder, refer, tmp_path):
    path = tmp_path / 'own' / 'annotations.json'
    path.parent.mkdir()
    write_coco(refer, path, WAYS['list'])
    assert set(read_samples('train', path, image_folder=refer_folder / 'images', ann_file='none.json')) == {
        image['file_name'] for image in refer.images.values()}
    content = convert('coco-sentences', path, refer_folder / 'images', val_share=0.5)
    assert {one.ref['split'] for one in content.refs} == {'train', 'val'}
    images = {split: {one.ref['image_id'] for one in content.refs if one.ref['split'] == split}
              for split in ('train', 'val')}
    assert not images['train'] & images['val']
    assert len(images['train'] | images['val']) == len(refer.images)


def test_the_draw_depends_on_file_names_and_not_on_ids(refer_folder, refer, tmp_path):
    drawn = []
    for renumber in (False, True):
        path = tmp_path / f'{renumber}' / 'annotations.json'
        path.parent.mkdir()
        write_coco(refer, path, WAYS['list'], renumber=renumber)
        content = convert('coco-sentences', path, refer_folder / 'images', val_share=0.5)
        names = {one['id']: one['file_name'] for one in content.instances['images']}
        drawn.append({names[one.ref['image_id']]: one.ref['split'] for one in content.refs})
    assert drawn[0] == drawn[1] and {*drawn[0].values()} == {'train', 'val'}


def test_boxes_are_left_out_and_told(refer_folder, refer, tmp_path):
    path = tmp_path / 'own' / 'train.json'
    path.parent.mkdir()
    write_coco(refer, path, WAYS['attributes'], split='train')
    value = json.loads(path.read_text())
    said = next(one for one in value['annotations'] if one['attributes']['description'])
    said['segmentation'] = []
    path.write_text(json.dumps(value))
    content = convert('coco-sentences', path, refer_folder / 'images')
    assert content.left_out.counts['box'] == 1
    assert len(content.refs) == len(refer.of_split('train')) - 1


def test_several_attributes_of_text_need_a_name(refer_folder, refer, tmp_path):
    path = tmp_path / 'own' / 'train.json'
    path.parent.mkdir()
    write_coco(refer, path, lambda one, sentences: dict(
        one, attributes=dict(note='to be checked', description='\n'.join(sentences))), split='train')
    with pytest.raises(ValueError, match="several attributes of text: 'description', 'note'"):
        read_samples('train', path, image_folder=refer_folder / 'images')
    content = convert('coco-sentences', path, refer_folder / 'images', text_key='description')
    assert len(content.refs) == len(refer.of_split('train'))
    with pytest.raises(ValueError, match="has no 'caption' .*--text-key"):
        convert('coco-sentences', path, refer_folder / 'images', text_key='caption')


def test_annotations_with_words_alone_are_no_sentences(refer_folder):
    """ShapeRef's own annotations have attributes such as a colour."""
    with pytest.raises(ValueError, match='is a COCO annotation file without sentences. It goes to ann_file'):
        read_samples('train', refer_folder / 'instances.json', image_folder=refer_folder / 'images')


@pytest.mark.parametrize('change, message', [
    (dict(sentences=[5]), 'sentence at position 0 of ref 10 lacks sent_id'),
    (dict(sentences=7), 'sentence at position 0 of ref 10 lacks sent_id'),
    (dict(image_id=None), r'train.json: annotation at position \d+ has image_id=None, but ids are'),
    (dict(image_id=999), 'ref 10 is about image 999, which .*train.json does not have'),
    (dict(segmentation=[[1, 2]]), 'mask of ref 10 .* is malformed'),
])
def test_what_is_broken_is_named(change, message, refer_folder, refer, tmp_path):
    path = tmp_path / 'own' / 'train.json'
    path.parent.mkdir()
    write_coco(refer, path, WAYS['list'], split='train')
    value = json.loads(path.read_text())
    next(one for one in value['annotations'] if one['id'] == 10).update(change)
    path.write_text(json.dumps(value))
    with pytest.raises(ValueError, match=message):
        read_samples('train', path, image_folder=refer_folder / 'images')


@pytest.mark.parametrize('value, message', [
    ([], 'train.json is not a COCO annotation file: it needs lists of `images` and `annotations`. Export it again'),
    (dict(images=[], annotations={}), 'train.json is not a COCO annotation file'),
    (dict(images=[5], annotations=[5, None]), 'train.json has no attributes of text. Export the sentences as an attr'),
])
def test_other_files_are_refused(value, message, tmp_path):
    path = tmp_path / 'train.json'
    path.write_text(json.dumps(value))
    with pytest.raises(ValueError, match=message):
        convert('coco-sentences', path, tmp_path)


@pytest.mark.parametrize('names', [
    ('job_a.json', 'job_b.json'), ('train_a.json', 'train_b.json'), ('a/own.json', 'b/own.json')])
def test_files_of_one_split_that_each_number_from_1(names, refer_folder, refer, tmp_path):
    for name, split in zip(names, ('train', 'val')):
        path = tmp_path / 'own' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_coco(refer, path, WAYS['list'], split=split, renumber=True)
    pattern = tmp_path / 'own' / ('*/*.json' if '/' in names[0] else '*.json')
    found = read_samples('train', pattern, image_folder=refer_folder / 'images', ann_file='none.json')
    apart = [read_samples('train', tmp_path / 'own' / name, image_folder=refer_folder / 'images', ann_file='none.json')
             for name in names]
    assert set(found) == set(apart[0]) | set(apart[1]) and all(apart)
    report = check_set(
        instances_path='none.json', refs_path=str(pattern), image_folder=str(refer_folder / 'images'), decode=True)
    assert report.is_fine, report.problems
    assert report.splits['train'].counts.refs == len(refer.of_split('train')) + len(refer.of_split('val'))


def test_ids_and_names_of_any_length_in_a_pickle(refer_folder, refer, tmp_path):
    """Python refuses to write integers of more than 4,300 digits."""
    path = tmp_path / 'own.json'
    write_coco(refer, path, lambda one, sentences: dict(one, sentences=sentences))
    content = json.loads(path.read_text())
    content['images'][0]['file_name'] = content['images'][1]['id'] = 10**5000
    path.write_bytes(pickle.dumps(content))
    splits = {one.ref['split'] for one in convert('coco-sentences', path, refer_folder / 'images', val_share=0.5).refs}
    assert splits == {'train', 'val'}
