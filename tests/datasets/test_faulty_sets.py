"""What the loaders refuse, the check of a set finds; what it calls well, they load; and skipping keeps what is good."""

import json
import time
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from mmris.datasets.masks import decode_segmentation
from mmris.datasets.problems import SKIP_ADVICE
from mmris.datasets.set_check import check_set
from mmris.registry import DATASETS
from tests.datasets.faults import FAULTS, NOTHING, REPEATED, FaultySet, every_pair

PIPELINE = [dict(type='LoadImage'), dict(type='LoadMasks')]


def build(folder, **options):
    defaults = dict(
        type='RefCOCODataset', split='val', refs_file='refs(unc).p', data_root=str(folder), pipeline=PIPELINE)
    return DATASETS.build({**defaults, **options})


def check(folder, **options):
    return check_set(
        instances_path=str(folder / 'instances.json'),
        refs_path=str(folder / 'refs(unc).p'),
        image_folder=str(folder / 'images'),
        decode=True,
        **options)


def pairs(dataset):
    """Ids of ref and sentence of all that a data set gives, each sample prepared."""
    return {pair for sample in dataset for pair in zip(sample['ref_ids'], sample['sent_ids'])}


def refusal(folder, **options):
    """The message with which a set is refused, at load or at access; None if it is not."""
    try:
        pairs(build(folder, **options))
    except (ValueError, OSError) as error:
        return str(error)
    return None


@pytest.mark.parametrize('test_mode', [False, True])
@pytest.mark.parametrize('name', FAULTS)
def test_each_fault_alone(tmp_path, name, test_mode):
    fault, made, number = FAULTS[name], FaultySet.start(tmp_path / 'set'), 4
    fault.apply(made, number)
    folder = made.write()
    problems, refused = check(folder).problems, refusal(folder, test_mode=test_mode)
    skipping = build(folder, bad_data='skip', test_mode=test_mode)
    if fault.kind:
        assert {problem.kind for problem in problems} == {fault.kind}
        assert all(fault.message in problem.message and len(problem.message) < 500 for problem in problems)
        assert SKIP_ADVICE not in problems[0].message
        assert skipping.skipped == {fault.kind: 1}
    else:
        assert not problems and not skipping.skipped
    if fault.refused == 'never':
        assert refused is None
    else:
        assert fault.message in refused and refused.endswith(SKIP_ADVICE)
    assert pairs(skipping) == fault.survivors(number) | every_pair([0, 6, 9, 12, 15])


# What is no dict does not say which split it is of.
COSTLY = [name for name, fault in FAULTS.items() if fault.costs != NOTHING and name != 'no dict']


@pytest.mark.parametrize('name', COSTLY)
def test_a_fault_of_another_split_stops_nothing(tmp_path, name):
    made, number = FaultySet.start(tmp_path / 'set'), 4
    for one in (3, 4, 5):
        made.refs[one]['split'] = 'train'
    FAULTS[name].apply(made, number)
    dataset = build(made.write())
    assert pairs(dataset) == every_pair([0, 6, 9, 12, 15])


def test_all_faults_at_once(tmp_path):
    """As many sets as are needed to give each fault an image of its own, as one."""
    made = FaultySet.start(tmp_path / 'set')
    base, expected = list(FAULTS.values()), every_pair([0])
    copy_images(made, len(base))
    kinds = Counter()
    for place, fault in enumerate(base, 1):
        fault.apply(made, 3 * place + 1)
        expected |= fault.survivors(3 * place + 1)
        kinds[fault.kind] += bool(fault.kind)
    REPEATED.apply(made, 0)
    kinds['repeated ids'] += 1
    folder = made.write()
    dataset = build(folder, bad_data='skip', test_mode=True)
    assert pairs(dataset) == expected
    assert dataset.skipped == {kind: count for kind, count in kinds.items() if count}
    assert dataset.metainfo['num_expressions'] == len(expected)


def copy_images(made, count):
    """Make a set larger: copies of its first image with its refs, under ids of their own."""
    entry, content = made.instances['images'][0], made.path(0).read_bytes()
    annotations, refs = made.instances['annotations'][:3], made.refs[:3]
    for number in range(6, count + 1):
        name = f'COCO_train2014_{number + 1:012d}.jpg'
        (made.folder / 'images' / name).write_bytes(content)
        made.instances['images'].append(dict(entry, id=number + 1, file_name=name))
        for place in range(3):
            ref_id = 3 * number + place + 1
            made.instances['annotations'].append(dict(annotations[place], id=100 + ref_id, image_id=number + 1,
                                                      segmentation=[list(annotations[place]['segmentation'][0])]))
            sentences = [dict(sent_id=1000 + 2 * (ref_id - 1) + one, sent='the man', raw='The man') for one in (0, 1)]
            made.refs.append(dict(refs[place], ref_id=ref_id, ann_id=100 + ref_id, image_id=number + 1,
                                  sentences=sentences))


@pytest.mark.parametrize('seed', range(12))
def test_the_check_and_the_loaders_agree(tmp_path, seed):
    """Sets with some faults, or none: by what the check says, the loaders can be told, and the other way round."""
    generator = np.random.default_rng(seed)
    made, expected = FaultySet.start(tmp_path / 'set'), set()
    names = list(FAULTS)
    # Of every third set, no entry has a fault.
    if seed % 3 == 0:
        names = [name for name in names if not FAULTS[name].kind]
    for image in range(6):
        fault = FAULTS[names[generator.integers(len(names))]] if generator.random() < 0.6 else FAULTS['nothing']
        number = 3 * image + int(generator.integers(3))
        fault.apply(made, number)
        expected |= fault.survivors(number)
    folder = made.write()
    problems = check(folder).problems
    for test_mode in (False, True):
        refused = refusal(folder, test_mode=test_mode)
        if not problems:
            assert refused is None
        if refused is not None:
            assert any(problem.message in refused for problem in problems)
        assert pairs(build(folder, bad_data='skip', test_mode=test_mode)) == expected


def test_pairs_of_ids_are_found_when_a_test_set_is_loaded(tmp_path):
    made = FaultySet.start(tmp_path / 'set')
    REPEATED.apply(made, 4)
    folder = made.write()
    with pytest.raises(ValueError, match='sentence 1009 of ref 5 is there more than once. Scores are told apart by '
                       'these two ids: give each sentence its own. Or set bad_data'):
        build(folder, test_mode=True)
    assert build(folder).num_expressions == 37
    assert build(folder, test_mode=True, bad_data='skip').metainfo['num_expressions'] == 36
    assert 'repeated ids' in {problem.kind for problem in check(folder).problems}


def test_what_is_mended_is_counted(tmp_path, caplog):
    made = FaultySet.start(tmp_path / 'set')
    for number, name in ((1, 'short polygons beside good ones'), (4, 'short polygons beside good ones'),
                         (7, 'half an emoji')):
        FAULTS[name].apply(made, number)
    folder = made.write()
    notes = check(folder).notes
    assert [note.partition('; the first: ')[0] for note in notes] == [
        '2 repaired: polygon of under three points', '1 repaired: half characters']
    assert 'annotation 102 of' in notes[0] and '"the man \ufffd"' in notes[1]
    dataset = build(folder)
    assert dataset.get_data_info(2)['text'][2] == 'the man \ufffd'
    assert dataset[0]['gt_original'][2].sum() == 100


def test_ill_images_do_not_cost_masks_of_others(tmp_path):
    """An image that is lost, and one that loses a ref: controls must not point to what is gone."""
    made = FaultySet.start(tmp_path / 'set')
    FAULTS['beside the image'].apply(made, 4)
    FAULTS['half a file'].apply(made, 7)
    dataset = build(made.write(), bad_data='skip', control='exchanged')
    assert len(dataset) == 5
    info = dataset.get_data_info(1)
    assert len(info['objects']) == 2 and set(info['ref_ids']) == {4, 6} and info['targets'] == [1, 1, 0, 0]


def test_reports_can_be_written(tmp_path):
    """Names of strangers, in whatever letters, come into the report as JSON."""
    made = FaultySet.start(tmp_path / 'set')
    made.image(0)['file_name'] = 'half \ud83d.jpg'
    made.refs[4]['split'] = 'val \udc00'
    made.refs[7]['ref_id'] = 'ref \ud83d'
    made.refs[7]['sentences'][0]['sent'] = ''
    report = check(made.write())
    assert len(report.problems) == 2
    json.dumps(report.to_dict(), ensure_ascii=False).encode('utf-8')
    assert 'val \ufffd' in report.splits
    assert build(made.folder, split='val \ufffd').get_data_info(0)['ref_ids'] == [5, 5]


def test_names_of_strangers_stay_on_one_line(tmp_path):
    made = FaultySet.start(tmp_path / 'set')
    made.image(0)['file_name'] = 'a\x1b]0;b\x07\n.jpg'
    made.refs[4].update(ref_id='r' * 100000, sentences=[])
    report = check(made.write())
    assert len(report.problems) == 2
    assert all(len(one.message) < 2100 and one.message.isprintable() for one in report.problems)
    assert report.splits['val'].image_files == 5


def test_a_sentence_whose_broken_twin_comes_first_is_kept(tmp_path):
    made = FaultySet.start(tmp_path / 'set')
    good = made.refs[4]['sentences'][0]
    made.refs[4]['sentences'].insert(0, dict(good, sent=' '))
    dataset = build(made.write(), test_mode=True, bad_data='skip')
    assert dataset.num_expressions == 36 and dataset.skipped == {'empty sentence': 1}


def test_sentences_numbered_anew_in_each_ref_are_counted_each(tmp_path):
    made = FaultySet.start(tmp_path / 'set')
    for ref in made.refs:
        for number, sentence in enumerate(ref['sentences']):
            sentence['sent_id'] = number
    for number in (2, 4):
        made.refs[number]['sentences'][0]['sent'] = ''
    assert build(made.write(), test_mode=True, bad_data='skip').skipped == {'empty sentence': 2}


def test_masks_of_many_parts(tmp_path):
    """Each merged into the union of all before, they would take the square of their number in time."""
    parts = [[x, y, x + 1, y, x + 1, y + 1, x, y + 1] for x in range(0, 1200, 4) for y in range(0, 1200, 4)]
    start = time.monotonic()
    assert decode_segmentation(parts, 1200, 1200).sum() == len(parts) == 90000
    assert time.monotonic() - start < 30


def test_skipping_reads_images_as_the_pipeline_does(tmp_path):
    """Annotated upright: stored pixels are of another size than their annotation says."""
    made = FaultySet.start(tmp_path / 'set')
    entry = made.image(4)
    picture = Image.new('RGB', (entry['height'], entry['width']))
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.save(made.path(4), exif=exif)
    folder, upright = made.write(), [dict(type='LoadImage', upright=True), dict(type='LoadMasks')]
    assert build(folder, bad_data='skip').skipped == {'broken image file': 1}
    assert not build(folder, bad_data='skip', pipeline=upright).skipped
    assert check(folder, upright=True).is_fine and not check(folder).is_fine
