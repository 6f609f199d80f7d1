"""ShapeRef's sentences that fit nothing, or several objects, checked against what their words say."""

import hashlib
import json
import pickle
from collections import Counter

import cv2
import numpy as np
import pytest

from mmris.datasets import RefCOCODataset
from mmris.datasets.set_check import check_set
from mmris.datasets.shaperef import no_target, several, write_shaperef
from mmris.datasets.shaperef.expressions import Expression
from mmris.datasets.shaperef.records import make_record
from tests.conftest import run_command
from tests.datasets.shaperef_words import check_ref, group_items

COUNTS = {
    'refcoco': {'train': 40, 'testA': 15, 'testB': 20},
    'refcoco+': {'train': 40, 'testA': 15, 'testB': 20},
    'refcocog': {'train': 50, 'test': 20},
}
REFS_FILE = {'refcoco': 'refs(unc).p', 'refcoco+': 'refs(unc).p', 'refcocog': 'refs(umd).p'}
SHARES = dict(no_target_share=.3, several_share=.3)
SEEDS = (3, 4)


def read_refs(folder, style):
    return pickle.loads((folder / REFS_FILE[style]).read_bytes())


def read_all(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob('*') if path.is_file()}


@pytest.fixture(scope='module')
def sets(tmp_path_factory):
    """By style and seed, the folder of a set with refs of all kinds."""
    root = tmp_path_factory.mktemp('mixed')
    for style, counts in COUNTS.items():
        for seed in SEEDS:
            write_shaperef(root / f'{style}_{seed}', seed=seed, style=style, counts=counts, processes=1, **SHARES)
    return {(style, seed): root / f'{style}_{seed}' for style in COUNTS for seed in SEEDS}


@pytest.fixture(scope='module')
def plain(tmp_path_factory):
    """A set of style refcoco as one of the others, with refs of one target alone."""
    folder = tmp_path_factory.mktemp('plain') / 'set'
    write_shaperef(folder, seed=SEEDS[0], counts=COUNTS['refcoco'], processes=1)
    return folder


@pytest.fixture(params=list(COUNTS))
def style(request):
    return request.param


# --- What the words say ---


@pytest.mark.parametrize('seed', SEEDS)
def test_every_sentence_fits_exactly_its_objects(sets, style, seed):
    instances = json.loads((sets[style, seed] / 'instances.json').read_text())
    images, items = {image['id']: image for image in instances['images']}, group_items(instances)
    refs = read_refs(sets[style, seed], style)
    for ref in refs:
        check_ref(ref, items[ref['image_id']], images[ref['image_id']])
    kinds = Counter(tag for ref in refs for tag in ('near miss', 'absent', 'several')
                    if tag in ref['sentences'][0]['skills'])
    assert min(kinds.values()) > 10 and len(kinds) == 3


def double(exchanges):
    return lambda expression: [(name, twice) for name, once in exchanges(expression)
                               for other, twice in exchanges(once) if other != name]


MUTATIONS = {
    'a near miss fits': (Expression, 'fits_none', lambda self, scene: True),
    'two attributes are exchanged': (no_target, '_exchanges', double(no_target._exchanges)),
    'a near miss is absent': (no_target, '_exchange', no_target._replace),
    'what is absent is there in part': (no_target, '_replace', no_target._exchange),
    'what is absent is there': (no_target, '_replace', lambda generator, scene, expression: expression),
    'the number is wrong': (several, '_SPELT_COUNTS', {2: 'three', 3: 'four', 4: 'five', 5: 'two'}),
    'a target is missing': (several, '_targets', lambda expression, scene: (0, 1)),
    'what is unclear counts as true': (Expression, 'truths', lambda self, scene, truths=Expression.truths: [
        truth is not False for truth in truths(self, scene)]),
}


@pytest.mark.parametrize('mutation', [None, *MUTATIONS])
def test_the_check_can_fail(monkeypatch, mutation):
    """None: without a mutation, the same scenes pass."""
    if mutation:
        monkeypatch.setattr(*MUTATIONS[mutation])
    failed = 0
    for index in range(25):
        record = make_record(8, 'refcoco', 'testB', index, no_target_share=.6, several_share=.4)
        items = [dict(one['attributes'], ann_id=one['id']) for one in record.annotations]
        for ref in record.refs:
            try:
                check_ref(ref, items, record.image)
            except AssertionError:
                failed += 1
    assert bool(failed) == bool(mutation)


@pytest.mark.parametrize('sentence, targets, tag', [
    ('red circle', [], 'near miss'),
    ('the blue one', [], 'absent'),
    ('both red ones', [0, 2], 'several'),
    ('all the circles that are not red', None, None),
    ('the two squares', None, None),
    ('green square', None, None),
    ('blue star', [], 'absent'),
    ('blue star on the left', [], 'absent'),
    ('green star', [], 'near miss'),
    ('the star that is not red', None, None),
    ('the green triangle on the left', None, None),
    ('red squares', None, None),
    ('all three shapes', [0, 1, 2], 'several'),
    ('both shapes', None, None),
    ('red shapes on the left', None, None),
])
def test_the_check_by_hand(sentence, targets, tag):
    """A red square, a green circle and a red triangle, from left to right. None: it is wrong whatever the ref says."""
    image = dict(width=100, height=80)
    looks = [('square', 'red', 10), ('circle', 'green', 50), ('triangle', 'red', 90)]
    items = [dict(shape=shape, colour=colour, size='big', centre=[x, 40], ann_id=number)
             for number, (shape, colour, x) in enumerate(looks)]
    skills = {'colour': 'red|green|blue', 'shape': 'circle|squares?|triangle|star', 'place': 'left'}
    used = [skill for skill, words in skills.items() if any(word in words.split('|') for word in sentence.split())]

    def check(ann_id, one_tag):
        ref = dict(ann_id=ann_id, sentences=[dict(sent=sentence, skills=sorted([*used, one_tag]))])
        check_ref(ref if ann_id else dict(ref, no_target=True), items, image)

    if tag:
        check(targets, tag)
    for ann_id, one_tag in (([], 'near miss'), ([], 'absent'), ([0, 2], 'several'), ([0, 1, 2], 'several')):
        if (ann_id, one_tag) != (targets, tag):
            with pytest.raises(AssertionError):
                check(ann_id, one_tag)


def test_shares_are_about_what_was_asked_for(sets):
    refs = [ref for (style, _), folder in sets.items() for ref in read_refs(folder, style)]
    of_none = [ref for ref in refs if ref['ann_id'] == []]
    assert 0.27 < len(of_none) / len(refs) < 0.33
    assert 0.27 < np.mean([isinstance(ref['ann_id'], list) and len(ref['ann_id']) > 1 for ref in refs]) < 0.33
    assert 0.44 < np.mean(['absent' in ref['sentences'][0]['skills'] for ref in of_none]) < 0.56
    assert all(len({tag for one in ref['sentences'] for tag in one['skills'] if tag in ('absent', 'near miss')}) == 1
               for ref in of_none)


def test_all_shares_are_possible(style):
    for no_target_share, several_share in ((1, 0), (0, 1), (.5, .5)):
        refs = [ref for index in range(15) for ref in make_record(
            2, style, 'train', index, no_target_share=no_target_share, several_share=several_share).refs]
        assert all(isinstance(ref['ann_id'], list) for ref in refs)
        texts = [(ref['image_id'], one['sent']) for ref in refs for one in ref['sentences']]
        assert len(set(texts)) == len(texts)


# --- Files ---


def test_only_refs_differ(sets, plain):
    mixed, unmixed = read_all(sets['refcoco', SEEDS[0]]), read_all(plain)
    assert {name for name in unmixed if unmixed[name] != mixed[name]} == {'refs(unc).p', 'shaperef.json'}
    assert unmixed.keys() == mixed.keys()

    def texts(ref):
        return ref['image_id'], ref['category_id'], ref['file_name'], tuple(one['sent'] for one in ref['sentences'])

    before = {ref['ann_id']: texts(ref) for ref in read_refs(plain, 'refcoco')}
    after = read_refs(sets['refcoco', SEEDS[0]], 'refcoco')
    assert len(after) == len(before) and [ref['ref_id'] for ref in after] == list(range(len(after)))
    single = [ref for ref in after if not isinstance(ref['ann_id'], list)]
    assert len(single) > 50 and all(before[ref['ann_id']] == texts(ref) for ref in single)


def test_fields_of_refs(sets, style):
    refs = read_refs(sets[style, SEEDS[0]], style)
    for ref in refs:
        assert ref['file_name'].startswith('COCO_train2014_') and set(ref) - {'no_target'} == {
            'ref_id', 'ann_id', 'image_id', 'category_id', 'split', 'file_name', 'sent_ids', 'sentences'}
        assert (ref['category_id'] == 0) == (ref['ann_id'] == []) == ('no_target' in ref)
        assert all(one['raw'] == one['sent'] == ' '.join(one['tokens']) for one in ref['sentences'])


def test_data_set_and_check_take_it(sets, style):
    folder = sets[style, SEEDS[0]]
    refs = {ref['ref_id']: ref for ref in read_refs(folder, style)}
    dataset = RefCOCODataset(split='train', refs_file=REFS_FILE[style], data_root=str(folder), test_mode=True)
    counts = Counter()
    for info in dataset:
        for ref_id, skills in zip(info['ref_ids'], info['skills']):
            tags = {'near miss', 'absent', 'several'} & set(skills)
            counts[len(tags)] += 1
            assert bool(tags) == isinstance(refs[ref_id]['ann_id'], list)
    assert sum(counts.values()) == sum(len(ref['sentences']) for ref in refs.values() if ref['split'] == 'train')
    report = check_set(
        instances_path=str(folder / 'instances.json'), refs_path=str(folder / REFS_FILE[style]),
        image_folder=str(folder / 'images'), decode=True)
    assert report.is_fine and not report.problems


# Of seed 7, 6 train and 3 testB images (refcocog: test); recorded before refs could have other than one target.
RECORDED_BY_OPENCV = '5.0.0'
RECORDED = {
    'refcoco': ('ef20ec38fb241926', '6e343747d990357d', '55f54438abf67dd2'),
    'refcoco+': ('89c0305351b176cd', '7205fadfeaa571e8', '55f54438abf67dd2'),
    'refcocog': ('6933b8b494899062', 'b4f92f3f967f4ba4', 'ca69f3262c967249'),
}


def hash_files(folder, names):
    return hashlib.sha256(b''.join((folder / name).read_bytes() for name in names)).hexdigest()[:16]


def test_without_shares_files_are_what_they_were(tmp_path, style):
    counts = {'train': 6, 'test' if style == 'refcocog' else 'testB': 3}
    content = write_shaperef(tmp_path / 'set', seed=7, style=style, counts=counts, processes=1, no_target_share=0)
    assert not {'no_target_share', 'several_share'} & content.keys()
    images = sorted(path.relative_to(tmp_path / 'set') for path in (tmp_path / 'set/images').iterdir())
    refs, instances, pictures = RECORDED[style]
    assert hash_files(tmp_path / 'set', [REFS_FILE[style]]) == refs
    # How OpenCV draws and compresses may change from one version to another.
    if cv2.__version__ == RECORDED_BY_OPENCV:
        assert hash_files(tmp_path / 'set', ['instances.json', 'instance_masks.json', 'shaperef.json']) == instances
        assert hash_files(tmp_path / 'set', images) == pictures


# --- Settings ---


def test_a_set_with_other_shares_is_another_set(tmp_path, capsys):
    folder = tmp_path / 'set'
    counts = {'val': 3}
    first = write_shaperef(folder, counts=counts, processes=1, no_target_share=.5)
    assert first['no_target_share'] == .5 and 'several_share' not in first
    assert write_shaperef(folder, counts=counts, processes=1, no_target_share=.5) == first
    assert 'already holds this ShapeRef' in capsys.readouterr().err
    for shares, message in (({}, r'\(no_target_share 0.5 instead of 0\)'),
                            (dict(no_target_share=.25), r'\(no_target_share 0.5 instead of 0.25\)'),
                            (dict(no_target_share=.5, several_share=.1), r'\(several_share 0 instead of 0.1\)')):
        with pytest.raises(FileExistsError, match=f'other settings {message}'):
            write_shaperef(folder, counts=counts, processes=1, **shares)
    assert 'no_target_share' not in write_shaperef(folder, counts=counts, processes=1, overwrite=True)
    with pytest.raises(FileExistsError, match=r'other settings \(several_share 0 instead of 1.0\)'):
        write_shaperef(folder, counts=counts, processes=1, several_share=1)


@pytest.mark.parametrize('shares, message', [
    (dict(no_target_share=-.1), 'no_target_share must be a number from 0 to 1, but got -0.1'),
    (dict(several_share=1.5), 'several_share must be a number from 0 to 1, but got 1.5'),
    (dict(several_share='0.2'), "several_share must be a number from 0 to 1, but got '0.2'"),
    (dict(no_target_share=True), 'no_target_share must be a number from 0 to 1, but got True'),
    (dict(no_target_share=float('nan')), 'no_target_share must be a number .* but got nan'),
    (dict(no_target_share=.6, several_share=.5), 'no_target_share and several_share must not add up to more than 1, '
     'but got 0.6 and 0.5'),
])
def test_wrong_shares_are_named(tmp_path, shares, message):
    with pytest.raises(ValueError, match=message):
        write_shaperef(tmp_path / 'set', **shares)
    assert not list(tmp_path.iterdir())


def test_command_counts_the_kinds(tmp_path, capsys):
    arguments = ['--out', str(tmp_path / 'set'), '--train', '12', '--val', '3', '--testA', '2', '--testB', '2',
                 '--processes', '1']
    assert not run_command('make_shaperef', *arguments, '--no-target-share', '.5', '--several-share', '.3')
    table = capsys.readouterr().out.splitlines()
    assert table[1].split()[-4:] == ['near', 'miss', 'absent', 'several']
    skills = json.loads((tmp_path / 'set/shaperef.json').read_text())['summary']['train']['skills']
    assert list(map(int, table[2].split()[-3:])) == [skills[tag] for tag in ('near miss', 'absent', 'several')]
    with pytest.raises(ValueError, match='no_target_share'):
        run_command('make_shaperef', *arguments, '--no-target-share', '2')
    assert not run_command('make_shaperef', *arguments, '--overwrite')
    assert capsys.readouterr().out.splitlines()[1].split()[-1] == 'relation'
