"""Sets held as SeqTR's dict of splits, and the generalised ones of SimVG and DeRIS."""

import copy
import json
import logging

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from mmris.datasets import RefCOCODataset
from mmris.datasets.masks import decode_segmentation
from mmris.datasets.readers import read_content
from mmris.datasets.set_check import check_set
from tests.datasets.readers.seqtr_files import count, read_val, to_seqtr, write
from tests.datasets.readers.shaperef_forms import SPLITS, ReferSet, assert_same_samples


@pytest.fixture(scope='module')
def seqtr_file(refer_folder, refer):
    return write(refer_folder.parent, 'annotations/refcoco-unc/instances.json', to_seqtr(refer))


def test_gives_the_samples_of_the_refer_files(refer_folder, seqtr_file):
    assert_same_samples(refer_folder, seqtr_file)


def test_the_check_of_a_set_finds_all_well(refer_folder, seqtr_file):
    def check(path):
        return check_set(instances_path=str(refer_folder / 'instances.json'), refs_path=str(path),
                         image_folder=str(refer_folder / 'images'), decode=True)

    report, wanted = check(seqtr_file), check(refer_folder / 'refs(unc).p')
    assert report.is_fine and not report.notes
    assert {name: split.counts for name, split in report.splits.items()} == {
        name: split.counts for name, split in wanted.splits.items()}


def test_boxes_hold_their_masks(refer, seqtr_file):
    content, _ = read_content(seqtr_file)
    sizes = {one['id']: (one['height'], one['width']) for one in content.instances['images']}
    for one in content.instances['annotations']:
        rows, columns = np.nonzero(decode_segmentation(one['segmentation'], *sizes[one['image_id']]))
        found = [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
        assert np.abs(np.subtract(one['bbox'], found)).max() <= 2
    assert len(content.instances['annotations']) == len({ref['ann_id'] for ref in refer.refs})


def test_ids_are_of_split_and_position_or_of_the_file(refer_folder, refer, seqtr_file):
    content, splits = read_content(seqtr_file)
    refs = [one.ref for one in content.refs if one.ref['split'] == 'val']
    first = len(refer.of_split('val')[0]['sentences'])
    assert splits == list(SPLITS)
    assert [ref['ref_id'] for ref in refs[:2]] == ['val-0', f'val-{first}']
    assert refs[1]['sentences'][0]['sent_id'] == f'val-{first}-0'
    assert [ref['image_id'] for ref in refs] == [ref['image_id'] for ref in refer.of_split('val')]
    path = write(refer_folder.parent, 'annotations/refcoco-unc/instances_withid.json', to_seqtr(refer, with_id=True))
    content, _ = read_content(path)
    assert {one.ref['ann_id'] for one in content.refs} == {ref['ann_id'] for ref in refer.refs}
    assert read_val(refer_folder, path) == read_val(refer_folder, seqtr_file)


def test_masks_as_rle(refer_folder, refer, seqtr_file, tmp_path):
    value = to_seqtr(refer)
    for item in value['val']:
        rles = coco_mask.frPyObjects(item['mask'], item['height'], item['width'])
        rle = coco_mask.merge(rles)
        item['mask'] = dict(size=list(rle['size']), counts=rle['counts'].decode())
    assert read_val(refer_folder, write(tmp_path, 'instances.json', value)) == read_val(refer_folder, seqtr_file)


def test_files_of_several_sets_keep_their_ids_apart(refer_folder, refer, seqtr_file, tmp_path):
    other = to_seqtr(refer)
    other['val'] = other['val'][3:]
    write(tmp_path, 'refcoco-unc/instances.json', to_seqtr(refer))
    write(tmp_path, 'refcocoplus-unc/instances.json', other)
    found = read_val(refer_folder, tmp_path / '*' / 'instances.json')
    assert count(found) == 2 * count(read_val(refer_folder, seqtr_file)) - 3


def test_names_of_image_files(refer, tmp_path):
    item = to_seqtr(refer)['val'][0]
    cases = {
        'refcoco-unc/instances.json': ({}, f'COCO_train2014_{item["image_id"]:012d}.jpg'),
        'referitgame-berkeley/instances.json': ({}, f'{item["image_id"]}.jpg'),
        'mixed/a.json': (dict(data_source='saiaprtc12'), f'{item["image_id"]}.jpg'),
        'mixed/b.json': (dict(data_source='coco'), f'COCO_train2014_{item["image_id"]:012d}.jpg'),
        'ref-zom/instances.json': (dict(file_name='val2014/COCO_val2014_1.jpg'), 'val2014/COCO_val2014_1.jpg'),
    }
    for name, (keys, wanted) in cases.items():
        content, _ = read_content(write(tmp_path, name, dict(val=[dict(item, **keys)])))
        assert [one['file_name'] for one in content.instances['images']] == [wanted]


# A mixture of sets.


@pytest.fixture
def mixed_file(refer, tmp_path):
    value = to_seqtr(refer)
    # merge_mask_dataset.py: training splits one after the other, the others by the names of their sets. Here the second
    # set has images in train that the first evaluates on.
    leaked = value['val'][:2]
    mixed = dict(train=value['train'] + leaked, val_refcoco_unc=value['val'], testA_refcoco_unc=value['testA'],
                 testB_refcoco_unc=value['testB'], val_refcocog_umd=value['val'][3:])
    return write(tmp_path, 'mixed-seg/instances_nogoogle.json', mixed)


class Messages(logging.Handler):

    def __init__(self) -> None:
        super().__init__()
        self.texts = []

    def emit(self, record) -> None:
        self.texts.append(record.getMessage())


@pytest.fixture
def messages():
    from mmengine.logging import MMLogger
    handler, logger = Messages(), MMLogger.get_current_instance()
    logger.addHandler(handler)
    yield handler.texts
    logger.removeHandler(handler)


def test_splits_of_a_mixture_go_by_their_names(refer_folder, seqtr_file, mixed_file, messages):
    assert read_val(refer_folder, mixed_file, 'val_refcoco_unc') == read_val(refer_folder, seqtr_file)
    assert count(read_val(refer_folder, mixed_file, 'testA_refcoco_unc')) > 0
    with pytest.raises(ValueError, match='Splits there: train, testA_refcoco_unc, .*val_refcocog_umd'):
        read_val(refer_folder, mixed_file, 'val')
    assert not [one for one in messages if 'exclude' in one]


def test_training_on_a_mixture_warns_of_images_that_are_evaluated_on(refer_folder, seqtr_file, mixed_file, messages):
    with_leak = count(read_val(refer_folder, mixed_file, 'train'))
    told = next(one for one in messages if 'exclude=' in one)
    assert "splits to evaluate on: val_refcoco_unc (1)" in told and "splits=['val_refcoco_unc'" in told
    splits = ['val_refcoco_unc', 'testA_refcoco_unc', 'testB_refcoco_unc', 'val_refcocog_umd']
    left = read_val(refer_folder, mixed_file, 'train', exclude=dict(mixed=dict(refs_file=mixed_file, splits=splits)))
    assert with_leak == count(left) + 2
    assert left == read_val(refer_folder, seqtr_file, 'train')


# Several targets, or none.


@pytest.fixture
def generalised(refer, tmp_path):
    """Refs of val of which the first has two targets and the second none, as gRefCOCO's file has them."""
    refs = copy.deepcopy(refer.of_split('val'))
    image = refs[0]['image_id']
    refs[0]['ann_id'] = [one for one, entry in refer.annotations.items() if entry['image_id'] == image][:2]
    refs[1]['ann_id'] = [-1]
    assert len(refs[0]['ann_id']) == 2
    write(tmp_path, 'grefs(unc).json', refs)
    return refs


def _targets(ref: dict) -> list:
    return ref['ann_id'] if isinstance(ref['ann_id'], list) else [ref['ann_id']]


def to_deris(refer: ReferSet, refs: list) -> dict:
    """DeRIS's grefs/instance.json: an item a sentence."""
    empty = [dict(iscrowd=None, bbox=None, category_id=None, id=-1, bbox_mode=1, empty=True)]
    items = []
    for ref in refs:
        found = [refer.annotations[one] for one in _targets(ref) if one != -1]
        annotations = [
            dict(iscrowd=one['iscrowd'], bbox=one['bbox'], category_id=one['category_id'], id=one['id'], bbox_mode=1,
                 empty=False, segmentation=one['segmentation']) for one in found
        ]
        image = refer.images[ref['image_id']]
        items += [
            dict(image_id=ref['image_id'], height=image['height'], width=image['width'],
                 expressions=dict(raw=one['sent'], sent_id=one['sent_id'], ref_id=ref['ref_id']),
                 annotations=annotations or empty) for one in ref['sentences']
        ]
    return dict(val=items)


def to_simvg(refer: ReferSet, refs: list) -> dict:
    """SimVG's grefs_grec: an item an image, with MDETR's annotations an expression."""
    items = {}
    for ref in refs:
        image = refer.images[ref['image_id']]
        item = items.setdefault(ref['image_id'], dict(
            image_id=ref['image_id'], annotations=[], expressions=[], height=image['height'], width=image['width'],
            bbox=[]))
        for sentence in ref['sentences']:
            boxes = [refer.annotations[one]['bbox'] if one != -1 else [0, 0, 0, 0] for one in _targets(ref)]
            item['expressions'].append(sentence['sent'])
            item['bbox'].append(boxes)
            item['annotations'].append([
                dict(area=1, iscrowd=0, image_id=7, category_id=1, id=3, empty=one == -1, bbox=box, original_id=one,
                     tokens_positive=[[0, 3]]) for one, box in zip(_targets(ref), boxes)
            ])
    return dict(val=list(items.values()))


def test_generalised_sets(refer_folder, refer, generalised, tmp_path):
    instances = refer_folder / 'instances.json'
    wanted = read_val(refer_folder, tmp_path / 'grefs(unc).json', ann_file=instances)
    deris = write(tmp_path, 'grefs/instance.json', to_deris(refer, generalised))
    simvg = write(tmp_path, 'grefs_grec/instances.json', to_simvg(refer, generalised))
    assert read_val(refer_folder, deris, text_field='raw') == wanted
    assert read_val(refer_folder, simvg, ann_file=instances) == wanted
    for path in (deris, simvg):
        content, _ = read_content(path)
        assert [one.ref['ann_id'] for one in content.refs[:3]] == [
            generalised[0]['ann_id'], [], generalised[2]['ann_id']]
    with pytest.raises(ValueError, match="Set text_field='raw'"):
        read_val(refer_folder, deris)


def test_sentences_of_an_object_can_be_exchanged_with_those_of_another(refer_folder, seqtr_file):
    # The control would take two refs of one object for two objects.
    dataset = RefCOCODataset(
        split='val', refs_file=seqtr_file, data_prefix=dict(img_path=str(refer_folder / 'images')), test_mode=True)
    for index in range(len(dataset)):
        objects = [json.dumps(one) for one in dataset.get_data_info(index)['objects']]
        assert len(set(objects)) == len(objects)
