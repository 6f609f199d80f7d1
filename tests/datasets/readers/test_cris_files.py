"""Sets held as CRIS's files: anns/<set>/<split>.json, and a mask a ref as PNG."""

import json
import shutil

import cv2
import numpy as np
import pytest

from mmris.datasets.masks import decode_segmentation, union_of_segmentations
from mmris.datasets.readers import cris, read_content
from mmris.datasets.refer_files import read_ref_images
from mmris.datasets.set_check import check_set
from tests.datasets.readers.shaperef_forms import SPLITS, ReferSet, assert_same_samples, read_samples


def to_cris(refer: ReferSet, ref: dict) -> dict:
    """A ref as CRIS's data_process.py writes it, with the corners of its box in whole pixels."""
    left, top, width, height = refer.annotations[ref['ann_id']]['bbox']
    return dict(
        bbox=[int(left), int(top), int(left) + int(width), int(top) + int(height)],
        cat=ref['category_id'] - 1, segment_id=ref['ref_id'], img_name=refer.images[ref['image_id']]['file_name'],
        sentences=[dict(idx=number, sent_id=one['sent_id'], sent=one['sent'].strip())
                   for number, one in enumerate(ref['sentences'])],
        sentences_num=len(ref['sentences']))


def write_cris(refer: ReferSet, folder, name: str = 'refcoco'):
    annotations, masks = folder / 'anns' / name, folder / 'masks' / name
    annotations.mkdir(parents=True)
    masks.mkdir(parents=True)
    for split in SPLITS:
        refs = refer.of_split(split)
        (annotations / f'{split}.json').write_text(json.dumps([to_cris(refer, ref) for ref in refs]))
        for ref in refs:
            image, annotation = refer.images[ref['image_id']], refer.annotations[ref['ann_id']]
            mask = union_of_segmentations([annotation['segmentation']], image['height'], image['width'])
            cv2.imwrite(str(masks / f'{ref["ref_id"]}.png'), mask * 255)
    return annotations


@pytest.fixture(scope='module')
def cris_folder(refer_folder):
    return write_cris(ReferSet(refer_folder), refer_folder.parent / 'datasets')


@pytest.fixture
def own(cris_folder, tmp_path):
    """A copy to change: the file of val, its content and its masks."""
    shutil.copytree(cris_folder.parent.parent, tmp_path / 'own')
    path = tmp_path / 'own' / 'anns' / 'refcoco' / 'val.json'
    return path, json.loads(path.read_text()), tmp_path / 'own' / 'masks' / 'refcoco'


def read_val(refer_folder, path, **settings):
    return read_samples('val', path, image_folder=refer_folder / 'images', ann_file='missing.json', **settings)


def count(samples) -> int:
    return sum(sum(one.values()) for one in samples.values())


def test_gives_the_samples_of_the_refer_files(refer_folder, cris_folder):
    assert_same_samples(refer_folder, cris_folder / '*.json')


def test_a_folder_and_a_file_do_too(refer_folder, cris_folder, monkeypatch):
    assert_same_samples(refer_folder, cris_folder, splits=['testA'])
    assert_same_samples(refer_folder, cris_folder / 'val.json', splits=['val'])
    monkeypatch.chdir(cris_folder)
    assert_same_samples(refer_folder, 'val.json', splits=['val'])


def test_the_check_of_a_set_finds_all_well(refer_folder, cris_folder):
    def check(path):
        return check_set(instances_path=str(refer_folder / 'instances.json'), refs_path=str(path),
                         image_folder=str(refer_folder / 'images'), decode=True)

    report, wanted = check(cris_folder / '*.json'), check(refer_folder / 'refs(unc).p')
    assert report.is_fine and not report.notes
    assert {name: split.counts for name, split in report.splits.items()} == {
        name: split.counts for name, split in wanted.splits.items()}


def test_boxes_hold_their_masks_and_ids_are_the_files(refer_folder, cris_folder):
    refer = ReferSet(refer_folder)
    content, splits = read_content(str(cris_folder / '*.json'))
    assert splits == list(SPLITS)
    for one in content.instances['annotations']:
        size = one['segmentation']['size']
        rows, columns = np.nonzero(decode_segmentation(one['segmentation'], *size))
        left, top, width, height = one['bbox']
        # The corners are cut to whole pixels.
        found = [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
        assert np.abs(np.subtract([left, top, width, height], found)).max() <= 2
    assert {(one.ref['ref_id'], one.ref['image_id'], one.ref['split']) for one in content.refs} == {
        (ref['ref_id'], ref['image_id'], ref['split']) for ref in refer.refs}


def test_no_mask_is_read_that_is_not_needed(refer_folder, cris_folder, monkeypatch):
    read = []
    monkeypatch.setattr(cris, '_read_mask', lambda path: read.append(path.stem))
    refs = ReferSet(refer_folder).of_split('val')
    images, _ = read_ref_images(str(cris_folder / '*.json'), ['val'])
    assert {image for image, _ in images} == {ref['image_id'] for ref in refs} and not read
    read_content(str(cris_folder / '*.json'), splits=['val'])
    assert sorted(read) == sorted(str(ref['ref_id']) for ref in refs)


@pytest.mark.parametrize('turn', [
    lambda mask: mask // 255,
    # Two and three polygons that overlap: 2 * 255 and 3 * 255 in 8 bits.
    lambda mask: np.where(mask > 0, np.where(np.arange(mask.shape[1]) % 2, 254, 253), 0).astype(np.uint8),
    lambda mask: np.repeat(mask[..., None], 3, axis=2),
])
def test_values_of_masks(turn, refer_folder, cris_folder, own):
    path, _, masks = own
    for mask in masks.iterdir():
        cv2.imwrite(str(mask), turn(cv2.imread(str(mask), cv2.IMREAD_GRAYSCALE)))
    assert read_val(refer_folder, path) == read_val(refer_folder, cris_folder / 'val.json')


def _truncate(path):
    path.write_bytes(path.read_bytes()[:-40])


@pytest.mark.parametrize(('change', 'message'), [
    (lambda path: path.unlink(), 'is malformed: {} is missing. Repair or remove annotation'),
    (_truncate, 'is malformed: {} is not a whole image ('),
    (lambda path: path.write_text('a'), 'is malformed: {} is not a whole image ('),
    (lambda path: cv2.imwrite(str(path), np.full((104, 102), 7, np.uint8)), '{} has pixels of 7, but a mask of CRIS'),
    (lambda path: cv2.imwrite(str(path), np.full((3, 4), 255, np.uint8)), "its size is 3 x 4, the image's"),
])
def test_broken_masks_are_named_and_can_be_left_out(change, message, refer_folder, own):
    path, entries, masks = own
    mask = masks / f'{entries[0]["segment_id"]}.png'
    change(mask)
    with pytest.raises(ValueError) as error:
        read_val(refer_folder, path)
    assert message.format(mask) in str(error.value) and str(path) in str(error.value)
    left = count(read_val(refer_folder, path, bad_data='skip'))
    assert left == sum(one['sentences_num'] for one in entries[1:])


@pytest.mark.parametrize(('change', 'message'), [
    (lambda entry: entry.pop('segment_id'), 'the entry at position 0 lacks segment_id.'),
    (lambda entry: entry.update(segment_id='../../1'), "has segment_id='../../1', but ids are whole numbers or names"),
    (lambda entry: entry.update(img_name=None), 'has img_name=None, but the name of an image file is expected'),
    (lambda entry: entry.update(sentences=[]), 'has no sentence'),
    (lambda entry: entry.update(sentences=['a man']), 'but a sentence is a dict'),
])
def test_says_what_is_wrong_with_an_entry(change, message, refer_folder, own):
    path, entries, _ = own
    change(entries[0])
    path.write_text(json.dumps(entries))
    with pytest.raises(ValueError) as error:
        read_val(refer_folder, path)
    assert f'{path}: ' in str(error.value) and message in str(error.value)
    assert count(read_val(refer_folder, path, bad_data='skip')) == sum(one['sentences_num'] for one in entries[1:])


def test_a_box_that_is_none_is_left_out(refer_folder, own):
    path, entries, _ = own
    entries[0]['bbox'] = [0.5, 1, 10**400, 20]
    path.write_text(json.dumps(entries))
    assert count(read_val(refer_folder, path)) == sum(one['sentences_num'] for one in entries)


def test_refs_of_two_sets_with_one_id_are_reported(refer_folder, own):
    path, entries, masks = own
    shutil.copytree(path.parent, path.parent.parent / 'refcoco+')
    shutil.copytree(masks, masks.parent / 'refcoco+')
    first, second = (masks.parent / 'refcoco+' / f'{entries[number]["segment_id"]}.png' for number in (0, 1))
    shutil.copy(second, first)
    with pytest.raises(ValueError, match=f'two different entries of `annotations` have id {entries[0]["segment_id"]}'):
        read_val(refer_folder, path.parent.parent / '*' / 'val.json')


def test_masks_lie_beside_the_annotations(refer_folder, own):
    path, _, masks = own
    masks.rename(masks.parent / 'elsewhere')
    with pytest.raises(FileNotFoundError, match=r'masks/refcoco is missing.* Copy masks/<set> with anns/<set>'):
        read_val(refer_folder, path)
    elsewhere = path.parent.parent.parent / 'val.json'
    path.rename(elsewhere)
    with pytest.raises(ValueError, match=r'does not lie in a folder anns/<set>.* Keep CRIS\'s layout'):
        read_val(refer_folder, elsewhere)


def test_the_name_of_a_file_has_to_tell_its_split(refer_folder, own):
    path, _, _ = own
    with pytest.raises(ValueError, match='does not tell its split: name it as CRIS does, such as val.json'):
        read_val(refer_folder, path.rename(path.with_name('mine.json')))


def test_a_truncated_file_is_fetched_again(refer_folder, own):
    path, _, _ = own
    path.write_text(path.read_text()[:-20])
    with pytest.raises(ValueError, match='is not a whole JSON file .* Fetch or make it again'):
        read_val(refer_folder, path)


def test_many_masks_show_progress_and_a_faster_way(cris_folder, monkeypatch, capsys):
    told = []
    monkeypatch.setattr(cris, 'print_log', lambda text, **_: told.append(text))
    read_content(str(cris_folder / 'val.json'))
    assert not told and not capsys.readouterr().err
    monkeypatch.setattr(cris, '_MANY', 2)
    read_content(str(cris_folder / 'val.json'))
    assert 'mmris convert_dataset cris' in told[0]
    assert 'elapsed' in capsys.readouterr().err
