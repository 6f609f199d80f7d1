"""ShapeRef's files, checked against what the words of its sentences say."""

import json
import pickle
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask

from mmris.datasets import RefCOCODataset
from mmris.datasets.shaperef import sample_scene, segmenter, write_shaperef, writer
from mmris.datasets.shaperef.annotations import annotate_mask
from mmris.datasets.shaperef.records import make_record
from mmris.utils.folders import remove_leftovers
from tests.conftest import run_command
from tests.datasets.shaperef_words import SHAPES, SIDES, evaluate, group_items

COUNTS = {
    'refcoco': {'train': 60, 'val': 10, 'testA': 30, 'testB': 40},
    'refcoco+': {'train': 60, 'val': 10, 'testA': 30, 'testB': 40},
    'refcocog': {'train': 90, 'val': 10, 'test': 40},
}
REFS_FILE = {'refcoco': 'refs(unc).p', 'refcoco+': 'refs(unc).p', 'refcocog': 'refs(umd).p'}


@pytest.fixture(scope='module')
def sets(tmp_path_factory):
    """One small set per style: (folder, instances, refs)."""
    root = tmp_path_factory.mktemp('shaperef')
    found = {}
    for style, counts in COUNTS.items():
        folder = root / style
        write_shaperef(folder, seed=3, style=style, counts=counts, processes=1)
        with open(folder / REFS_FILE[style], 'rb') as file:
            refs = pickle.load(file)
        found[style] = (folder, json.loads((folder / 'instances.json').read_text()), refs)
    return found


@pytest.fixture(params=list(COUNTS))
def style(request):
    return request.param


def decode(annotation, image):
    """Decode as readers of COCO do: the union of all polygons, or the run lengths."""
    segmentation = annotation['segmentation']
    if isinstance(segmentation, list):
        segmentation = coco_mask.merge(
            coco_mask.frPyObjects(segmentation, image['height'], image['width']))
    return coco_mask.decode(segmentation).astype(bool)


def test_every_sentence_fits_exactly_its_object(sets, style):
    _, instances, refs = sets[style]
    images = {image['id']: image for image in instances['images']}
    by_image = group_items(instances)
    for ref in refs:
        items, image = by_image[ref['image_id']], images[ref['image_id']]
        for sentence in ref['sentences']:
            fitting, skills = evaluate(sentence['sent'], items, image)
            context = (sentence['sent'], items, image)
            assert [item['ann_id'] for item in fitting] == [ref['ann_id']], context
            assert sorted(skills) == sentence['skills'], context


def test_styles_use_the_skills_they_are_for(sets):
    share, words = {}, {}
    for style, (_, _, refs) in sets.items():
        sentences = [sentence for ref in refs for sentence in ref['sentences']]
        share[style] = {skill: np.mean([skill in sentence['skills'] for sentence in sentences])
                        for skill in ('shape', 'colour', 'size', 'place', 'relation')}
        words[style] = [word for sentence in sentences for word in sentence['tokens']]
        share[style]['length'] = len(words[style]) / len(sentences)
    assert share['refcoco+']['place'] == share['refcoco+']['relation'] == 0
    places = {*SIDES, 'middle', 'center', 'corner', 'side', 'second', 'far', 'above', 'below',
              'under', 'next', 'near', 'closest', 'nearest'}
    assert not places & set(words['refcoco+'])
    assert share['refcoco']['place'] > 0.25 and share['refcoco']['relation'] > 0.15
    assert share['refcocog']['relation'] > 0.5
    assert share['refcocog']['length'] > share['refcoco']['length'] > share['refcoco+']['length']
    assert min(share['refcoco+'][skill] for skill in ('shape', 'colour', 'size')) > 0.4
    assert len(set().union(*words.values())) < 80


def test_many_sentences_need_more_than_shape_and_colour(sets):
    _, instances, refs = sets['refcoco']
    appearance = {annotation['id']: tuple(
        annotation['attributes'][name] for name in ('shape', 'colour'))
        for annotation in instances['annotations']}
    of_image = {}
    for annotation in instances['annotations']:
        of_image.setdefault(annotation['image_id'], []).append(appearance[annotation['id']])
    doubles = [of_image[ref['image_id']].count(appearance[ref['ann_id']]) > 1 for ref in refs]
    assert np.mean(doubles) > 0.25


# --- Files ---


def test_files_have_the_published_form(sets, style):
    folder, instances, refs = sets[style]
    assert set(instances) == {'info', 'licenses', 'images', 'annotations', 'categories'}
    assert {category['name'] for category in instances['categories']} == set(SHAPES)
    assert {path.name for path in (folder / 'images').iterdir()} == {
        image['file_name'] for image in instances['images']}
    assert (folder / REFS_FILE[style]).read_bytes()[:2] == b'\x80\x02'
    annotations = {annotation['id']: annotation for annotation in instances['annotations']}
    assert len(annotations) == len(instances['annotations'])
    names = {image['id']: image['file_name'] for image in instances['images']}
    category = {entry['id']: entry['name'] for entry in instances['categories']}
    for ref in refs:
        assert set(ref) == {'ref_id', 'ann_id', 'image_id', 'category_id', 'split', 'file_name',
                            'sent_ids', 'sentences'}
        annotation = annotations[ref['ann_id']]
        assert annotation['image_id'] == ref['image_id']
        assert annotation['category_id'] == ref['category_id']
        assert category[ref['category_id']] == annotation['attributes']['shape']
        assert re.fullmatch(r'COCO_train2014_\d{12}\.jpg', names[ref['image_id']])
        assert ref['file_name'] == names[ref['image_id']].replace('.jpg', f"_{ref['ann_id']}.jpg")
        assert 1 <= len(ref['sentences']) <= 3
        assert ref['sent_ids'] == [sentence['sent_id'] for sentence in ref['sentences']]
        assert len({sentence['sent'] for sentence in ref['sentences']}) == len(ref['sentences'])
        for sentence in ref['sentences']:
            assert set(sentence) == {'sent_id', 'sent', 'raw', 'tokens', 'skills'}
            assert sentence['tokens'] == sentence['sent'].split()
    sentence_ids = [number for ref in refs for number in ref['sent_ids']]
    assert sentence_ids == list(range(len(sentence_ids)))
    assert [ref['ref_id'] for ref in refs] == list(range(len(refs)))


def test_every_image_has_two_referred_objects_in_one_split(sets, style):
    _, instances, refs = sets[style]
    referred = {image['id']: [] for image in instances['images']}
    for ref in refs:
        referred[ref['image_id']].append(ref)
    assert all(len(of_image) >= 2 for of_image in referred.values())
    assert all(len({ref['ann_id'] for ref in of_image}) == len(of_image)
               for of_image in referred.values())
    splits = [{ref['split'] for ref in of_image} for of_image in referred.values()]
    assert all(len(split) == 1 for split in splits)
    assert {name: splits.count({name}) for name in COUNTS[style]} == COUNTS[style]
    objects = {name: set() for name in COUNTS[style]}
    for image_id, (split, ) in zip(referred, splits):
        objects[split].add(sum(
            annotation['image_id'] == image_id for annotation in instances['annotations']))
    if style != 'refcocog':
        assert objects['testA'] <= {2, 3} and objects['testB'] <= {4, 5}
    assert objects['train'] == {2, 3, 4}


def test_masks_are_the_visible_regions_and_do_not_overlap(sets):
    _, instances, _ = sets['refcoco']
    images = {image['id']: image for image in instances['images']}
    masks = {}
    for annotation in instances['annotations']:
        mask = decode(annotation, images[annotation['image_id']])
        rows, columns = np.nonzero(mask)
        assert annotation['area'] == mask.sum() and annotation['iscrowd'] == 0
        assert annotation['bbox'] == [columns.min(), rows.min(), np.ptp(columns) + 1,
                                      np.ptp(rows) + 1]
        centre = [columns.mean() + 0.5, rows.mean() + 0.5]
        assert np.allclose(annotation['attributes']['centre'], centre, atol=0.01)
        masks.setdefault(annotation['image_id'], []).append(mask)
    assert all(np.sum(of_image, axis=0).max() == 1 for of_image in masks.values())
    for index in range(COUNTS['refcoco']['train']):
        scene = sample_scene(seed=3, split='train', index=index)
        assert np.array_equal(masks[index + 1], [item.mask for item in scene.objects])


def test_pictures_show_the_annotated_colours(sets):
    folder, instances, _ = sets['refcoco']
    hues = {'red': 0, 'orange': 14, 'yellow': 26, 'green': 63, 'blue': 111, 'purple': 140}
    images = {image['id']: image for image in instances['images']}
    for annotation in instances['annotations']:
        image = images[annotation['image_id']]
        picture = cv2.imread(str(folder / 'images' / image['file_name']))
        assert picture.shape == (image['height'], image['width'], 3)
        assert 96 <= image['width'] <= 144 and 80 <= image['height'] <= 128
        inner = cv2.erode(decode(annotation, image).astype(np.uint8), np.ones((3, 3))) > 0
        hue, saturation, _ = np.median(
            cv2.cvtColor(picture, cv2.COLOR_BGR2HSV)[inner], axis=0)
        nearest = min(hues, key=lambda name: abs((hue - hues[name] + 90) % 180 - 90))
        assert nearest == annotation['attributes']['colour'] and saturation > 100


def test_small_and_big_stay_apart_even_where_hidden(sets):
    _, instances, _ = sets['refcoco']
    longer_side = {image['id']: max(image['width'], image['height'])
                   for image in instances['images']}
    extents = {'small': [], 'big': []}
    areas = {}
    for annotation in instances['annotations']:
        attributes = annotation['attributes']
        scale = 64 / longer_side[annotation['image_id']]
        extents[attributes['size']].append(max(annotation['bbox'][2:]) * scale)
        areas.setdefault((attributes['shape'], attributes['size']), []).append(
            annotation['area'] * scale**2)
    assert 14 < np.median(extents['small']) < 18 and 24 < np.median(extents['big']) < 30
    for shape in SHAPES:
        assert max(areas[shape, 'small']) < min(areas[shape, 'big'])


@pytest.mark.parametrize('density', [0.1, 0.5, 0.9])
def test_annotate_mask_decodes_to_the_same_mask(density):
    generator = np.random.default_rng(int(density * 10))
    for _ in range(20):
        mask = generator.random((9, 13)) < density
        mask[4, 5] = True
        decoded = decode(annotate_mask(mask), {'height': 9, 'width': 13})
        assert np.array_equal(decoded, mask)


def test_annotate_mask_uses_run_lengths_for_holes_and_a_polygon_per_part():
    mask = np.zeros((12, 16), bool)
    mask[1:5, 2:6] = mask[7:11, 2:6] = True
    assert sorted(annotate_mask(mask)['segmentation']) == [
        [2, 1, 6, 1, 6, 5, 2, 5], [2, 7, 6, 7, 6, 11, 2, 11]]
    mask[7:11, 2:6] = False
    mask[5, 6] = True  # touches the square at a corner only
    assert sorted(annotate_mask(mask)['segmentation']) == [
        [2, 1, 6, 1, 6, 5, 2, 5], [6, 5, 7, 5, 7, 6, 6, 6]]
    mask[2:4, 3:5] = False
    segmentation = annotate_mask(mask)['segmentation']
    assert segmentation['size'] == [12, 16] and isinstance(segmentation['counts'], str)


# --- Instance masks: what a segmenter found ---


def read_found(folder):
    return json.loads((folder / 'instance_masks.json').read_text())


@pytest.fixture(scope='module')
def matched(sets):
    """Of the set in style refcoco: each result with the IoU of the object that it fits best, and that object."""
    folder, instances, _ = sets['refcoco']
    images = {image['id']: image for image in instances['images']}
    objects = {}
    for annotation in instances['annotations']:
        mask = decode(annotation, images[annotation['image_id']])
        objects.setdefault(annotation['image_id'], []).append((annotation, mask))
    rows = []
    for result in read_found(folder):
        mask = decode(result, images[result['image_id']])
        overlaps = [(mask & other).sum() / (mask | other).sum()
                    for _, other in objects[result['image_id']]]
        best = int(np.argmax(overlaps))
        rows.append((result, overlaps[best], objects[result['image_id']][best][0]))
    return rows


def test_results_have_the_form_that_segmenters_write(sets):
    folder, instances, _ = sets['refcoco']
    images = {image['id']: image for image in instances['images']}
    found = read_found(folder)
    # None without any: such a file could not tell it from an image that was left out.
    assert list(dict.fromkeys(result['image_id'] for result in found)) == list(images)
    for result in found:
        assert set(result) == {'image_id', 'bbox', 'score', 'category_id', 'segmentation'}
        assert isinstance(result['segmentation']['counts'], str)
        mask = decode(result, images[result['image_id']])
        image = images[result['image_id']]
        assert mask.shape == (image['height'], image['width'])
        rows, columns = np.nonzero(mask)
        assert result['bbox'] == [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
    for one, other in zip(found, found[1:]):
        assert one['image_id'] != other['image_id'] or one['score'] >= other['score']


def test_segmenter_is_imperfect_as_it_is_meant_to_be(sets, matched):
    _, instances, _ = sets['refcoco']
    best = {}
    for _, overlap, annotation in matched:
        if overlap > 0.5:
            best.setdefault(annotation['id'], []).append(overlap)
    found_share = len(best) / len(instances['annotations'])
    assert 0.85 < found_share < 0.95
    assert 0.78 < np.mean([max(overlaps) for overlaps in best.values()]) < 0.85
    assert 0.05 < np.mean([len(overlaps) > 1 for overlaps in best.values()]) < 0.15
    nothing = [result for result, overlap, _ in matched if overlap < 0.4]
    assert 0.15 < len(nothing) / len(instances['images']) < 0.4
    wrong = [result['category_id'] != annotation['category_id']
             for result, overlap, annotation in matched if overlap > 0.5]
    assert 0.03 < np.mean(wrong) < 0.13


def test_scores_tell_something_and_not_all(matched):
    true = np.array([result['score'] for result, overlap, _ in matched if overlap > 0.5])
    false = np.array([result['score'] for result, overlap, _ in matched if overlap < 0.4])
    assert 0.3 <= min(true.min(), false.min()) and true.max() <= 0.99 and false.max() <= 0.8
    assert 0.8 < (true[:, None] > false).mean() < 0.99


def test_summary_counts_what_was_found(sets):
    folder, instances, refs = sets['refcoco']
    split_of = {ref['image_id']: ref['split'] for ref in refs}
    summary = json.loads((folder / 'shaperef.json').read_text())['summary']
    for split in COUNTS['refcoco']:
        objects = sum(split_of[one['image_id']] == split for one in instances['annotations'])
        masks = sum(split_of[one['image_id']] == split for one in read_found(folder))
        counts = summary[split]['instance_masks']
        assert counts['masks'] == masks
        assert masks == objects - counts['missing'] + counts['doubled'] + counts['false']


def test_something_is_found_even_where_all_is_missed(sets, monkeypatch):
    monkeypatch.setattr(segmenter, 'MISSED', 1.0)
    monkeypatch.setattr(segmenter, 'FALSE_MASKS', 0.0)
    is_last = set()
    for index in range(12):
        record = make_record(3, 'refcoco', 'testB', index)
        assert record.findings.missing == len(record.annotations) - 1
        assert len(record.findings.results) == 1 + record.findings.doubled
        mask = decode(record.findings.results[0], record.image)
        overlaps = [(mask & decode(one, record.image)).sum() for one in record.annotations]
        is_last.add(int(np.argmax(overlaps)) == len(overlaps) - 1)
    assert is_last == {False, True}, 'it is always the same that is found'


def test_each_image_of_each_seed_and_split_has_draws_of_its_own():
    mask = np.zeros((60, 80), bool)
    mask[20:40, 30:60] = True
    found = {json.dumps(segmenter.find_instances(
        seed=seed, split_number=split_number, index=index, image_id=1, masks=[mask], categories=[1],
        category_count=5).results) for seed, split_number, index in
        ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, 1))}
    assert len(found) == 4


def test_what_is_found_depends_neither_on_style_nor_on_the_rest_of_the_set(sets):
    found = {style: read_found(folder) for style, (folder, _, _) in sets.items()}
    assert found['refcoco'] == found['refcoco+']
    train = {name: [one for one in results if one['image_id'] <= 60] for name, results in found.items()}
    assert len(train['refcoco']) > 100 and train['refcoco'] == train['refcocog']


def test_data_set_takes_it_in_without_a_problem(sets):
    folder, instances, _ = sets['refcoco']
    dataset = RefCOCODataset(
        split='testB', refs_file=REFS_FILE['refcoco'], data_root=str(folder),
        instance_masks={'file': 'instance_masks.json', 'max_instances': 99})
    loaded = {info['img_id']: len(info['instances']) for info in dataset}
    ids = [result['image_id'] for result in read_found(folder)]
    assert loaded == {image_id: ids.count(image_id) for image_id in loaded} and len(loaded) == 40


# --- Determinism and the folder ---


def read_all(folder):
    return {str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(Path(folder).rglob('*')) if path.is_file()}


def test_files_depend_on_the_seed_and_not_on_processes(tmp_path):
    counts = {'train': 30, 'testB': 20}
    for name, seed, processes in (('one', 5, 1), ('again', 5, 1), ('two', 5, 2), ('other', 6, 1)):
        write_shaperef(tmp_path / name, seed=seed, counts=counts, processes=processes)
    one = read_all(tmp_path / 'one')
    assert len(one) == 50 + 4
    assert one == read_all(tmp_path / 'again')
    assert one == read_all(tmp_path / 'two')
    other = read_all(tmp_path / 'other')
    assert one.keys() == other.keys() and all(one[name] != other[name] for name in one)


def test_pictures_depend_neither_on_style_nor_on_counts(sets):
    pictures = {style: read_all(folder / 'images') for style, (folder, _, _) in sets.items()}
    assert pictures['refcoco'] == pictures['refcoco+']
    shared = pictures['refcoco'].keys() & pictures['refcocog'].keys()
    assert len(shared) == 60 + 10
    assert all(pictures['refcoco'][name] == pictures['refcocog'][name] for name in shared)


def test_finished_set_is_kept_and_another_is_refused(tmp_path, capsys, monkeypatch):
    folder = tmp_path / 'set'
    first = write_shaperef(folder, counts={'val': 3}, processes=1)
    before = read_all(folder)
    monkeypatch.setattr(writer, 'make_record', None)
    assert write_shaperef(folder, counts={'val': 3}, processes=1) == first
    assert 'already holds this ShapeRef' in capsys.readouterr().err
    monkeypatch.undo()
    with pytest.raises(FileExistsError, match=r'set holds a ShapeRef with other settings '
                       r'\(seed 0 instead of 1\).*--overwrite'):
        write_shaperef(folder, seed=1, counts={'val': 3}, processes=1)
    assert read_all(folder) == before
    write_shaperef(folder, seed=1, counts={'val': 2}, processes=1, overwrite=True)
    assert len(read_all(folder)) == 2 + 4
    assert [path.name for path in tmp_path.iterdir()] == ['set']


@pytest.mark.parametrize('removed, missing', [
    ('images/*.jpg', '3 of 3 images'),
    ('images/*1.jpg', '1 of 3 images'),
    ('instances.json', 'instances.json'),
    ('i*.json', 'instances.json, instance_masks.json'),
    ('refs*.p', r'refs\(unc\).p'),
])
def test_a_set_that_lacks_files_is_not_finished(tmp_path, removed, missing):
    write_shaperef(tmp_path / 'set', counts={'val': 3}, processes=1)
    whole = read_all(tmp_path / 'set')
    for path in (tmp_path / 'set').glob(removed):
        path.unlink()
    with pytest.raises(FileExistsError, match=f'set holds this ShapeRef, but lacks {missing}: pass --overwrite'):
        write_shaperef(tmp_path / 'set', counts={'val': 3}, processes=1)
    write_shaperef(tmp_path / 'set', counts={'val': 3}, processes=1, overwrite=True)
    assert read_all(tmp_path / 'set') == whole


@pytest.mark.slow
def test_a_killed_run_leaves_no_process_and_its_folder_to_the_next(tmp_path, capsys):
    """While it runs, its folder is not taken away."""
    goal = tmp_path / 'set'
    run = subprocess.Popen(
        [sys.executable, '-c', 'import sys; from mmris.datasets.shaperef import write_shaperef; '
         'write_shaperef(sys.argv[1], counts=dict(train=9999), processes=2)', str(goal)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + 120
        while len(list(tmp_path.glob('.set.*.partial/images/*'))) < 5:
            assert run.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        partial, = tmp_path.iterdir()
        remove_leftovers(goal)
        assert (partial / 'images').is_dir() and not capsys.readouterr().err
    finally:
        run.send_signal(signal.SIGTERM)
        # The end of its output comes when its workers, who share it, have ended.
        run.communicate(timeout=60)
    assert partial.is_dir()
    (tmp_path / f'.set.{"0" * 32}.replaced' / 'images').mkdir(parents=True)
    others = {'.set.mine.partial', f'.set2.{"0" * 32}.partial', f'set.{"0" * 32}.partial'}
    for name in others:
        (tmp_path / name).mkdir()
    write_shaperef(goal, counts={'val': 2}, processes=1)
    assert {path.name for path in tmp_path.iterdir()} == {'set', *others}
    assert f'Removing {partial}, which a killed run had left.' in capsys.readouterr().err


@pytest.mark.parametrize('overwrite', [False, True])
def test_folder_with_other_things_is_never_replaced(tmp_path, overwrite):
    (tmp_path / 'photo.jpg').write_bytes(b'precious')
    with pytest.raises(FileExistsError, match=f'{tmp_path.name} holds something other than a '
                       'ShapeRef.*--overwrite.*another folder'):
        write_shaperef(tmp_path, counts={'val': 2}, processes=1, overwrite=overwrite)
    assert (tmp_path / 'photo.jpg').read_bytes() == b'precious'


@pytest.mark.parametrize('present', [False, True])
def test_interrupted_run_leaves_the_folder_as_it_was(tmp_path, monkeypatch, present):
    folder = tmp_path / 'set'
    if present:
        write_shaperef(folder, counts={'val': 2}, processes=1)
    before = read_all(folder)
    make_record = writer.make_record

    def interrupt(seed, style, split, index):
        if index == 3:
            raise KeyboardInterrupt
        return make_record(seed, style, split, index)

    monkeypatch.setattr(writer, 'make_record', interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_shaperef(folder, counts={'val': 6}, processes=1, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == (['set'] if present else [])
    assert read_all(folder) == before


@pytest.mark.parametrize('arguments, message', [
    ({'style': 'refclef'}, r"style must be one of refcoco, refcoco\+, refcocog, but got 'refclef'"),
    ({'seed': -1}, 'seed must be an integer of at least 0, but got -1'),
    ({'seed': 1.5}, 'seed must be an integer of at least 0, but got 1.5'),
    ({'counts': {'val': 0}}, r"counts\['val'\] must be an integer from 1 to 999999, but got 0"),
    ({'counts': {'train': -5}}, r"counts\['train'\] must be .*, but got -5"),
    ({'counts': {'test': 5}}, "counts must name .* train, val, testA, testB .*'refcoco', but got"),
    ({'counts': {'testB': 5}, 'style': 'refcocog'}, 'train, val, test of style .*, but got'),
    ({'counts': {}}, 'counts must name one or more of the splits'),
    ({'processes': 0}, 'processes must be an integer of at least 1, but got 0'),
])
def test_wrong_arguments_are_named(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        write_shaperef(tmp_path / 'set', **arguments)
    assert not list(tmp_path.iterdir())


def test_command_writes_a_set_and_prints_a_table(tmp_path, capsys):
    arguments = ['--out', str(tmp_path / 'set'), '--style', 'refcocog', '--train', '4', '--val',
                 '3', '--testA', '2', '--processes', '1']
    assert not run_command('make_shaperef', *arguments)
    table = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in table[2:]] == [['train', '4'], ['val', '3'], ['test', '2']]
    with pytest.raises((ValueError, FileExistsError), match='seed 0 instead of 9'):
        run_command('make_shaperef', *arguments, '--seed', '9')
