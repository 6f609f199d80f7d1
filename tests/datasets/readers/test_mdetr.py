"""Sets held as MDETR's files: an image entry a sentence, joined with instances.json by original_id."""

import copy
import json

import pytest

from mmris.datasets.readers import read_content
from mmris.datasets.refer_files import read_ref_images
from mmris.datasets.set_check import check_set
from tests.datasets.readers.shaperef_forms import SPLITS, ReferSet, assert_same_samples, read_samples


def to_mdetr(refer: ReferSet, split: str, *, name: str = 'refcoco', generalised: bool = False) -> dict:
    """A split as MDETR's refexp_coco_format.py writes it, or gRefCOCO's grefexp_coco_format.py."""
    images, annotations = [], []
    for ref in refer.of_split(split):
        targets = ref['ann_id'] if isinstance(ref['ann_id'], list) else [ref['ann_id']]
        image = refer.images[ref['image_id']]
        for sentence in ref['sentences']:
            spans = [[0, len(sentence['sent'])]]
            for target in targets:
                found = refer.annotations.get(target, dict(area=-1, iscrowd=-1, category_id=-1, bbox=[0, 0, 0, 0]))
                annotation = dict(
                    area=found['area'], iscrowd=found['iscrowd'], image_id=len(images),
                    category_id=found['category_id'], id=len(annotations), bbox=found['bbox'], original_id=target,
                    tokens_positive=spans)
                if generalised:
                    annotation['empty'] = target == -1
                annotations.append(annotation)
            images.append(dict(
                file_name=image['file_name'], height=image['height'], width=image['width'], id=len(images),
                original_id=image['id'], caption=sentence['sent'], dataset_name=name, tokens_negative=spans))
    return dict(info={}, licenses=[], images=images, annotations=annotations, categories=refer.categories)


def write(folder, name: str, value) -> str:
    path = folder / name
    path.write_text(json.dumps(value))
    return str(path)


@pytest.fixture(scope='module')
def mdetr_folder(refer_folder):
    folder = refer_folder.parent / 'mdetr_annotations'
    folder.mkdir()
    for split in SPLITS:
        write(folder, f'finetune_refcoco_{split}.json', to_mdetr(ReferSet(refer_folder), split))
    return folder


@pytest.fixture
def val(refer_folder):
    return to_mdetr(ReferSet(refer_folder), 'val')


def read_val(refer_folder, path, **settings):
    return read_samples('val', path, image_folder=refer_folder / 'images', ann_file=refer_folder / 'instances.json',
                        **settings)


def test_gives_the_samples_of_the_refer_files(refer_folder, mdetr_folder):
    assert_same_samples(refer_folder, mdetr_folder / 'finetune_refcoco_*.json',
                        ann_file=refer_folder / 'instances.json')


def test_a_folder_stands_for_its_files(refer_folder, mdetr_folder):
    assert_same_samples(refer_folder, mdetr_folder, splits=['testA'], ann_file=refer_folder / 'instances.json')


def test_the_check_of_a_set_finds_all_well(refer_folder, mdetr_folder):
    def check(path):
        return check_set(instances_path=str(refer_folder / 'instances.json'), refs_path=str(path),
                         image_folder=str(refer_folder / 'images'), decode=True)

    report, wanted = check(mdetr_folder / 'finetune_refcoco_*.json'), check(refer_folder / 'refs(unc).p')
    assert report.is_fine and not report.notes
    assert {name: split.counts for name, split in report.splits.items()} == {
        name: split.counts for name, split in wanted.splits.items()}


def test_ids_that_were_permuted_are_seen_by_the_boxes(refer_folder, val, tmp_path):
    """Such files are whole, and give masks of other objects of the same images."""
    of_image = {}
    for annotation in val['annotations']:
        image = val['images'][annotation['image_id']]['original_id']
        of_image.setdefault(image, {}).setdefault(annotation['original_id'])
    moved = {}
    for ids in map(list, of_image.values()):
        moved.update(zip(ids, ids[1:] + ids[:1]))
    assert any(one != other for one, other in moved.items())

    def check(path):
        return check_set(instances_path=str(refer_folder / 'instances.json'), refs_path=path,
                         image_folder=str(refer_folder / 'images'), decode=True)

    path = write(tmp_path, 'finetune_refcoco_val.json', val)
    assert check(path).is_fine and not check(path).notes
    for annotation in val['annotations']:
        annotation['original_id'] = moved[annotation['original_id']]
    problem, = check(write(tmp_path, 'finetune_refcoco_val.json', val)).problems
    assert (problem.kind, problem.entry) == ('boxes that do not fit', path)
    assert f'boxes of {path} do not fit their masks' in problem.message and 'check the ids' in problem.message


def test_sentences_of_an_annotation_are_one_ref_with_cocos_ids(refer_folder, mdetr_folder):
    refer = ReferSet(refer_folder)
    content, splits = read_content(str(mdetr_folder / 'finetune_refcoco_*.json'))
    assert splits == list(SPLITS) and content.instances is None
    found = {one.ref['ref_id']: one.ref for one in content.refs}
    assert len(found) == len(content.refs)
    assert found.keys() == {ref['ann_id'] for ref in refer.refs}
    for ref in refer.refs:
        one = found[ref['ann_id']]
        assert (one['ann_id'], one['image_id'], one['split']) == (ref['ann_id'], ref['image_id'], ref['split'])
        assert [sentence['sent'] for sentence in one['sentences']] == [one['sent'] for one in ref['sentences']]


def test_opens_only_the_files_of_the_split(refer_folder, mdetr_folder, tmp_path):
    for path in mdetr_folder.iterdir():
        (tmp_path / path.name).write_text(path.read_text() if 'val' in path.name else '{')
    assert read_val(refer_folder, tmp_path / 'finetune_refcoco_*.json')


def test_running_ids_that_repeat_over_the_files_of_a_split_stay_apart(refer_folder, val, tmp_path):
    write(tmp_path, 'finetune_refcoco_val.json', val)
    for image in val['images']:
        image.update(caption=f'the same {image["caption"]}', dataset_name='refcoco+')
    write(tmp_path, 'finetune_refcoco+_val.json', val)
    samples = read_val(refer_folder, tmp_path / 'finetune_refcoco*_val.json')
    assert sum(sum(one.values()) for one in samples.values()) == 2 * len(val['images'])


def test_several_targets_and_none(refer_folder, tmp_path):
    refer = ReferSet(refer_folder)
    refs = [copy.deepcopy(ref) for ref in refer.of_split('val')]
    image = refs[0]['image_id']
    several = [one for one, entry in refer.annotations.items() if entry['image_id'] == image][:2]
    refs[0].update(ann_id=several)
    refs[1].update(ann_id=[-1])
    refer.refs = refs
    (tmp_path / 'grefs(unc).json').write_text(json.dumps(refs))
    wanted = read_val(refer_folder, tmp_path / 'grefs(unc).json')
    found = read_val(refer_folder, write(tmp_path, 'finetune_grefcoco_val.json',
                                         to_mdetr(refer, 'val', name='grefcoco', generalised=True)))
    assert len(several) == 2 and found == wanted
    content, _ = read_content(str(tmp_path / 'finetune_grefcoco_val.json'))
    assert [one.ref['ann_id'] for one in content.refs[:2]] == [several, []]
    assert content.refs[0].ref['ref_id'] == '+'.join(map(str, several))


def fault(change, refer_folder, val, tmp_path) -> str:
    change(val)
    path = write(tmp_path, 'finetune_refcoco_val.json', val)
    with pytest.raises(ValueError) as error:
        read_val(refer_folder, path)
    assert path in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(('change', 'message'), [
    (lambda val: val['images'][0].pop('original_id'), 'entry at position 0 of `images` lacks original_id.'),
    (lambda val: val['images'][1].update(original_id=[1]), 'of `images` has original_id=[1], but ids are whole'),
    (lambda val: val['images'].__setitem__(1, 'a man'), "of `images` is 'a man', but a dict is expected"),
    (lambda val: val['annotations'][0].pop('original_id'),
     'position 0 of `images` has an annotation (the entry at position 0 of `annotations`) that lacks original_id'),
    (lambda val: val['annotations'].__setitem__(0, None), 'position 0 of `annotations` is None, but a dict'),
    (lambda val: val['annotations'].pop(0), 'position 0 of `images` has no annotation: one without target has'),
    (lambda val: val['annotations'][0].update(image_id=99999), 'has no annotation: one without target has'),
    (lambda val: val['annotations'].append(dict(val['annotations'][0], image_id=99999)),
     'an annotation of image 99999 is of none of the entries of `images`'),
    (lambda val: val['annotations'].append(dict(val['annotations'][0], original_id=-1)),
     'position 0 of `images` has both a target and an annotation without one'),
    (lambda val: val['images'][1].update(id=0), 'has two entries of `images` with id 0, so that'),
    (lambda val: val['images'][0].update(caption=None), 'sentence 0 is empty (sent=None)'),
    (lambda val: val['annotations'][0].update(original_id=99999), 'points to annotation 99999, which'),
])
def test_says_what_is_wrong_with_an_entry(change, message, refer_folder, val, tmp_path):
    assert message in fault(change, refer_folder, val, tmp_path)


def test_broken_entries_can_be_left_out(refer_folder, val, tmp_path):
    val['images'][0]['original_id'] = None
    path = write(tmp_path, 'finetune_refcoco_val.json', val)
    samples = read_val(refer_folder, path, bad_data='skip')
    assert sum(sum(one.values()) for one in samples.values()) == len(val['images']) - 1


def test_images_to_leave_out_are_known_by_cocos_ids(refer_folder, mdetr_folder):
    images, _ = read_ref_images(str(mdetr_folder / 'finetune_refcoco_*.json'), ['val'])
    refer = ReferSet(refer_folder)
    wanted = {ref['image_id'] for ref in refer.of_split('val')}
    assert set(images) == {(one, refer.images[one]['file_name']) for one in wanted}


def test_the_name_of_a_file_has_to_tell_its_split(refer_folder, val, tmp_path):
    with pytest.raises(ValueError, match='does not tell its split: name it as published, such as finetune_refcoco_val'):
        read_val(refer_folder, write(tmp_path, 'mine.json', val))


def test_other_files_among_them_are_named(refer_folder, val, tmp_path):
    write(tmp_path, 'finetune_refcoco_val.json', val)
    write(tmp_path, 'notes_val.json', [1])
    with pytest.raises(ValueError, match=r'notes_val\.json is not MDETR.* Name only those'):
        read_val(refer_folder, tmp_path / '*_val.json')


def test_a_truncated_file_is_fetched_again(refer_folder, val, tmp_path):
    path = tmp_path / 'finetune_refcoco_val.json'
    path.write_text(json.dumps(val)[:-400])
    with pytest.raises(ValueError, match='is not a whole JSON file .* Fetch or make it again'):
        read_val(refer_folder, path)


def test_as_annotation_file_it_is_sent_to_the_refs_file(refer_folder, mdetr_folder):
    path = mdetr_folder / 'finetune_refcoco_val.json'
    with pytest.raises(ValueError, match="is MDETR's file of sentences and boxes .*which has no masks. Name it as the "
                       r'refs file \(refs_file, --refs-file\), and as annotation file .* the instances.json'):
        read_samples('val', refer_folder / 'refs(unc).p', image_folder=refer_folder / 'images', ann_file=path)


def test_what_cannot_give_masks_is_refused(refer_folder, val, tmp_path):
    phrasecut, flickr = copy.deepcopy(val), copy.deepcopy(val)
    for image in phrasecut['images']:
        image['task_id'] = f'{image["id"]}__0'
    for annotation in flickr['annotations']:
        del annotation['original_id']
    odvg = [dict(filename='COCO_train2014_000000000001.jpg', height=9, width=9,
                 grounding=dict(caption='a man', regions=[dict(bbox=[0, 0, 1, 1], phrase='a man')]))] * 2
    for name, value, message in (('finetune_phrasecut_val.json', phrasecut, "Take PhraseCut's own files"),
                                 ('final_flickr_separateGT_val.json', flickr, "boxes without COCO's annotation ids"),
                                 ('finetune_refcoco_val_vg.json', odvg, 'Take the file that it was made from')):
        with pytest.raises(ValueError, match=message):
            read_val(refer_folder, write(tmp_path, name, value))
