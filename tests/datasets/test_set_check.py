"""The check of a set: all that is broken is listed, and counts are compared with the published ones."""

import json
import pickle
import re
import shutil
from dataclasses import astuple

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from mmris.datasets import published_counts
from mmris.datasets.masks import check_segmentation, decode_segmentation
from mmris.datasets.published_counts import PUBLISHED_SETS, Counts, PublishedSet, recognise_set
from mmris.datasets.set_check import check_set, format_report
from tests.conftest import ROOT, square


def edit(folder, *, instances=lambda content: None, refs=lambda content: None):
    """Change the two files of a set."""
    path = folder / 'instances.json'
    content = json.loads(path.read_text())
    instances(content)
    path.write_text(json.dumps(content))
    path = folder / 'refs(unc).p'
    content = pickle.loads(path.read_bytes())
    refs(content)
    path.write_bytes(pickle.dumps(content, protocol=2))


def check(folder, **options):
    return check_set(
        instances_path=str(folder / 'instances.json'),
        refs_path=str(folder / 'refs(unc).p'),
        image_folder=str(folder / 'images'),
        **options)


def image_file(folder, number):
    return folder / 'images' / f'COCO_train2014_{number:012d}.jpg'


def cut(path):
    path.write_bytes(path.read_bytes()[:-400])


class TestProblems:

    def test_a_set_without_fault(self, refer_set):
        report = check(refer_set, decode=True)
        assert report.is_fine and not report.problems and not report.notes
        assert astuple(report.splits['val'].counts) == (15, 15, 5)
        assert report.splits['val'].image_files == 5 and report.splits['val'].state == 'not published'

    @pytest.mark.parametrize('ref_id, sent_id', [(4, 1003), ('4', 1003.0)])
    def test_a_pair_of_ids_given_twice(self, refer_set, ref_id, sent_id):
        edit(refer_set, refs=lambda refs: (refs[4].update(ref_id=ref_id), refs[4]['sentences'][0].update(
            sent_id=sent_id)))
        problem, = check(refer_set).problems
        assert problem.kind == 'repeated ids' and 'sentence 1003 of ref 4 is there more than once' in problem.message

    def test_one_of_two_ids_given_twice(self, refer_set):
        """Some sets count sentences anew in each ref."""
        edit(refer_set, refs=lambda refs: (refs[4].update(ref_id=4), refs[6]['sentences'][0].update(sent_id=1005)))
        assert check(refer_set).is_fine

    def test_entries_that_no_ref_needs(self, refer_set):
        """They stop no loader, and are listed."""

        def change(content):
            content['annotations'].append(dict(image_id=1))
            content['images'].append(dict(id=9, file_name='a', height=0, width=5))

        edit(refer_set, instances=change)
        report = check(refer_set)
        assert [(problem.kind, problem.entry) for problem in report.problems] == [
            ('malformed entry', 'the entry at position 5 of `images`'),
            ('malformed entry', 'the entry at position 15 of `annotations`')
        ]
        assert 'Broken entries: 2.' in format_report(report)
        assert all(problem.message in format_report(report) for problem in report.problems)

    def test_all_faults_at_once(self, refer_set):
        """Not the first alone: each of several faults, two of them of one ref, is listed."""

        def change(refs):
            refs[0].update(ann_id=998)
            refs[0]['sentences'][0].update(sent='')
            refs[1].update(ann_id=999)
            refs[7].update(image_id=999)
            refs[14].update(sentences=[])

        edit(refer_set, refs=change)
        image_file(refer_set, 2).unlink()
        report = check(refer_set)
        assert [(problem.kind, problem.entry) for problem in report.problems] == [
            ('malformed entry', 'ref 15'), ('missing annotation', 'ref 1'),
            ('empty sentence', 'sentence 1000 of ref 1'), ('missing annotation', 'ref 2'), ('missing image', 'ref 8'),
            ('missing image file', str(image_file(refer_set, 2)))
        ]
        assert report.splits['val'].image_files == 4
        assert 'Broken entries: 6.' in format_report(report)

    def test_no_image_at_all_is_one_problem(self, refer_set):
        shutil.rmtree(refer_set / 'images')
        problem, = check(refer_set).problems
        assert problem.entry == str(refer_set / 'images')
        assert re.search(r'None of the 5 image files is in .*images, such as COCO_train2014_0+1.jpg. Name the folder',
                         problem.message)

    def test_what_only_decoding_shows(self, refer_set):
        cut(image_file(refer_set, 1))
        shutil.copy(image_file(refer_set, 5), image_file(refer_set, 4))
        edit(refer_set, instances=lambda content: content['annotations'][6].update(segmentation=[square(60, 5, 10)]))
        assert check(refer_set).is_fine
        problems = check(refer_set, decode=True).problems
        found = {problem.entry: problem for problem in problems}
        assert len(problems) == 3 and set(found) == {
            str(image_file(refer_set, 1)), str(image_file(refer_set, 4)), 'ref 7'}
        assert re.search('is not a whole image file', found[str(image_file(refer_set, 1))].message)
        assert re.search(r'is 55 x 54 pixels .* says 52 x 56', found[str(image_file(refer_set, 4))].message)
        assert found['ref 7'].kind == 'empty mask' and 'covers no pixel' in found['ref 7'].message

    def test_a_ref_of_no_target_is_none(self, refer_set):
        edit(refer_set, refs=lambda refs: refs[0].update(ann_id=-1))
        assert check(refer_set, decode=True).is_fine

    def test_text_field(self, refer_set):
        edit(refer_set, refs=lambda refs: refs[0]['sentences'][0].pop('raw'))
        assert check(refer_set).is_fine
        problem, = check(refer_set, text_field='raw').problems
        assert "sentence 1000 has no `raw`, only `sent`. Set text_field='sent'." in problem.message

    def test_images_of_two_splits_are_a_note(self, refer_set):
        edit(refer_set, refs=lambda refs: [ref.update(split='train') for ref in refs[:4]])
        report = check(refer_set)
        assert report.is_fine
        assert report.notes == ['1 images are in both train and val. A model trained on one has seen images of the '
                                'other.']
        published = PublishedSet('Mini', 'set', 'google', dict(train=Counts(4, 4, 2), val=Counts(11, 11, 4)))
        report = check(refer_set, published=published)
        assert report.is_fine and 'As published: this partition is one of objects' in report.notes[0]


    @pytest.mark.parametrize('copied', [False, True])
    def test_images_of_two_splits_are_found_under_other_ids_and_names(self, refer_set, copied):
        """Forms whose files count images anew have an id a split; exports by split have an image file in each."""
        shutil.copy(image_file(refer_set, 1), refer_set / 'images/copy.jpg')

        def change(content):
            image, = (one for one in content['images'] if one['id'] == 1)
            content['images'].append(dict(image, id='train-1', **(dict(file_name='copy.jpg') if copied else {})))
            content['annotations'].append(dict(content['annotations'][0], id='train-101', image_id='train-1'))

        edit(refer_set, instances=change, refs=lambda refs: refs[0].update(
            ann_id='train-101', image_id='train-1', split='train'))
        report = check(refer_set, decode=True)
        name = image_file(refer_set, 1)
        such = f', such as {refer_set / "images/copy.jpg"} and its copy {name}' if copied else ''
        assert report.is_fine
        assert report.notes == [f'1 images are in both train and val{such}. A model trained on one has seen images of '
                                f'the other.']
        assert bool(check(refer_set).notes) != copied

    def test_masks_of_the_refs_file_are_named_as_such(self, refer_set):
        content = json.loads((refer_set / 'instances.json').read_text())
        for one in content['annotations']:
            one['sentences'] = ['a thing']
        path = refer_set / 'val.json'
        path.write_text(json.dumps(content))
        report = check_set(instances_path='nowhere.json', refs_path=str(path), image_folder=str(refer_set / 'images'))
        assert report.is_fine and report.instances_path == str(path)
        assert format_report(report).splitlines()[0] == str(path)


class TestCounts:

    PUBLISHED = PublishedSet('Mini', 'set', 'unc', dict(val=Counts(15, 15, 5)))

    @pytest.mark.parametrize('published, state', [
        (dict(val=Counts(15, 15, 5)), 'equal'),
        (dict(val=Counts(15, None, 5)), 'equal'),
        (dict(val=Counts(16, 15, 5)), 'differs'),
        (dict(val=Counts(15, 14, 5)), 'differs'),
        (dict(val=Counts(15, 15, 6)), 'differs'),
        (dict(train=Counts(15, 15, 5)), 'differs'),
    ])
    def test_states(self, refer_set, published, state):
        report = check(refer_set, published=PublishedSet('Mini', 'set', 'unc', published))
        assert report.splits['val'].state == state and report.is_fine == (state == 'equal')

    def test_a_split_that_is_not_there_differs(self, refer_set):
        published = PublishedSet('Mini', 'set', 'unc', dict(val=Counts(15, 15, 5), testA=Counts(3, 9, 2)))
        report = check(refer_set, published=published)
        assert list(report.splits) == ['val', 'testA'] and report.splits['testA'].state == 'differs'
        text = format_report(report)
        assert '0 (published 9)' in text and 'counts of testA differ from the published ones.' in text
        assert re.search(r'\| val +\| +15 \| +15 \| +5 \| +5 \| +equal \|', text)

    def test_recognition(self, refer_set, monkeypatch):
        monkeypatch.setitem(published_counts.PUBLISHED_SETS, 'mini', self.PUBLISHED)
        assert recognise_set(str(refer_set / 'refs(unc).p')) is self.PUBLISHED
        for suffix in ('.json', '.JSON', '.jsonl', '.pkl'):
            assert recognise_set(str(refer_set / f'refs(unc){suffix}')) is self.PUBLISHED
        for other in ('set/refs(umd).p', 'set2/refs(unc).p', 'set/refs(unc).txt'):
            assert recognise_set(str(refer_set.parent / other)) is None

    def test_the_real_names(self):
        for key, published in PUBLISHED_SETS.items():
            path = f'data/{published.folder}/refs({published.by}).p'
            assert recognise_set(path) is published and key == f'{published.folder}_{published.by}'

    def test_they_are_those_of_the_documentation(self):
        rows = re.findall(r'^\| (Ref\S+ \(\w+\)) \| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$',
                          (ROOT / 'docs/data.md').read_text(), re.M)
        assert len(rows) == len(PUBLISHED_SETS)
        by_title = {published.title: published for published in PUBLISHED_SETS.values()}
        for title, *cells in rows:
            splits, *columns = ([one.strip().replace(',', '') for one in cell.split('/')] for cell in cells)
            assert splits == list(by_title[title].splits)
            for column, name in zip(columns, ('refs', 'sentences', 'images')):
                known = [getattr(counts, name) for counts in by_title[title].splits.values()]
                assert column == ([str(one) for one in known] if None not in known else ['not published'])

    def test_totals(self):
        """The sums that papers give."""
        totals = {
            key: [sum(column) if None not in column else None
                  for column in zip(*(astuple(one) for one in published.splits.values()))]
            for key, published in PUBLISHED_SETS.items()
        }
        assert totals['refcoco_unc'] == [50000, 142210, 19994]
        assert totals['refcoco_google'][:2] == [50000, None]
        assert totals['refcoco+_unc'] == [49856, 141564, 19992]
        assert totals['refcocog_umd'][0] == totals['refcocog_google'][0] == 49822


class TestInstanceMasks:

    @staticmethod
    def check(folder, change, **settings):
        path = folder / 'instance_masks.json'
        results = json.loads(path.read_text())
        change(results)
        path.write_text(json.dumps(results))
        return check(folder, instance_masks=dict(file=str(path), **settings))

    def test_a_whole_file(self, refer_set):
        report = self.check(refer_set, lambda results: results[0].update(score=0.4), min_score=0.5, max_instances=2)
        assert report.is_fine
        note, = report.notes
        # Of three on each of five images: one is not sure enough, of the others two an image.
        assert '10 instance masks with a score of at least 0.5, no more than 2 an image, are on 5 of 5 images' in note
        assert note in format_report(report)

    def test_all_that_is_broken(self, refer_set):

        def change(results):
            del results[6:12]
            results[0]['segmentation']['size'] = [5, 5]
            results[4].pop('score')

        report = self.check(refer_set, change, problems='raise')
        assert [(one.kind, one.entry) for one in report.problems] == [
            ('malformed result', 'the result at position 4'), ('malformed instance mask', 'mask 1 of image 1'),
            ('image without results', str(refer_set / 'instance_masks.json'))]
        assert report.problems[2].message.startswith('2 of 5 images have no result. ')
        assert 'has no result for image 3' in report.problems[2].message
        assert '7 instance masks' in report.notes[0] and 'on 3 of 5 images' in report.notes[0]

    def test_many_of_a_kind_are_one(self, refer_set):
        """A file of boxes, taken by mistake, has as many malformed results as entries."""
        path = refer_set / 'instance_masks.json'
        report = self.check(refer_set, lambda results: [one.pop('segmentation') for one in results])
        problem, = report.problems
        assert (problem.kind, problem.entry) == ('malformed result', str(path))
        assert problem.message.startswith(f'15 of these; the first: {path}: the result at position 0 lacks segm')
        path.write_text(json.dumps([dict(image_id=image_id, score=0.9) for image_id in (1, 1, 2, 3, 4, 5)]))
        report = self.check(refer_set, lambda results: [
            one.update(segmentation=dict(size=[9, 9], counts='1')) for one in results])
        problem, = report.problems
        assert problem.kind == 'malformed instance mask'
        assert problem.message.startswith('6 of these; the first: ')

    def test_what_the_data_set_skips_is_a_note(self, refer_set):

        def change(results):
            del results[6:12]
            results[0]['segmentation']['size'] = results[1]['segmentation']['size'] = [5, 5]
            results[4].pop('score')

        report = self.check(refer_set, change, problems='skip')
        assert report.is_fine
        path = refer_set / 'instance_masks.json'
        beginnings = [note.partition('; the first: ')[0] for note in report.notes]
        assert beginnings[:3] == [
            f'{path}: 1 skipped: malformed result', f'{path}: 2 skipped: malformed instance mask',
            f'{path}: 2 skipped: image without results']
        assert report.notes[3].startswith('6 instance masks') and 'Note: ' + report.notes[0] in format_report(report)

    @pytest.mark.parametrize('problems', ['raise', 'skip'])
    @pytest.mark.parametrize('content, message', [
        (None, 'instance_masks.json (instance masks: a COCO results file) is missing'),
        ('[{"image_id"', 'instance_masks.json is not a whole JSON file'),
        ('{}', 'instance_masks.json holds a dict, but a COCO results file is a list'),
    ])
    def test_a_file_that_cannot_be_read_is_one_problem(self, refer_set, problems, content, message):
        path = refer_set / 'instance_masks.json'
        path.unlink()
        if content is not None:
            path.write_text(content)
        report = check(refer_set, instance_masks=dict(file=str(path), problems=problems))
        problem, = report.problems
        assert (problem.kind, problem.entry) == ('unreadable instance masks', str(path))
        assert message in problem.message and not report.notes
        assert astuple(report.splits['val'].counts) == (15, 15, 5)

    @pytest.mark.parametrize('settings, message', [
        (dict(score=0.5), 'instance_masks takes file, .*, but got score'),
        (dict(min_score=2), 'min_score of instance masks must be a number from 0 to 1, but got 2'),
    ])
    def test_settings_that_are_none(self, refer_set, settings, message):
        with pytest.raises(ValueError, match=message):
            self.check(refer_set, lambda results: None, **settings)


class TestForms:

    def test_compressed_counts_are_read_as_pycocotools_writes_them(self):
        generator = np.random.default_rng(0)
        for _ in range(200):
            height, width = generator.integers(1, 90, 2).tolist()
            mask = (generator.random((height, width)) < generator.random()).astype(np.uint8)
            # Long runs too: several characters each.
            mask[:, :width // 2] = generator.integers(2)
            rle = coco_mask.encode(np.asfortranarray(mask))
            for counts in (rle['counts'], rle['counts'].decode()):
                check_segmentation(dict(size=[height, width], counts=counts), height, width)
            with pytest.raises(ValueError, match='needs counts of that sum'):
                check_segmentation(dict(size=[height, width], counts=rle['counts'] + b'1'), height, width)
            with pytest.raises(ValueError, match='counts of an RLE are integers'):
                # Its last number is cut off: pycocotools would read on behind its end.
                check_segmentation(dict(size=[height, width], counts=rle['counts'] + b'P'), height, width)

    @pytest.mark.parametrize('segmentation', [
        None, [], 'polygon', [[]], [5], [[1, 2, 3, 4, 5]], [[1, 2, 3, 4, 5, None]], [[1, 2, 3, 4, 5, 10**400]], {},
        dict(size=5, counts='a'), dict(size=[9, 9], counts=81), dict(size=[9, 9], counts=[80, 1.5]),
        dict(size=[9, 9], counts=[82, -1]), dict(size=[9, 9], counts='\xff'),
        dict(size=[9, 9], counts='aRPPPPPPPPPPPP0')
    ])
    def test_malformed_ones_are_errors_and_are_not_decoded(self, segmentation):
        with pytest.raises(ValueError, match='a segmentation|a polygon (is|needs)|an RLE|counts of an RLE|its size is'):
            decode_segmentation(segmentation, 9, 9)

    @pytest.mark.parametrize('segmentation, message', [
        ({}, 'an RLE needs size and counts, but this one lacks size and counts'),
        (dict(size=[3, 5]), 'an RLE needs size and counts, but this one lacks counts'),
        (dict(size=[5, 3], counts='?'), "its size is 5 x 3, the image's 3 x 5 (height x width)"),
        (dict(size=5, counts='?'), "its size is 5, the image's 3 x 5 (height x width)"),
        (dict(size=[3, 5], counts=''), 'its counts are empty'),
        (dict(size=[3, 5], counts=[]), 'its counts are empty'),
        (dict(size=[3, 5], counts=0), 'counts of an RLE are integers of at least 0, but these are 0'),
    ])
    def test_what_is_wrong_with_an_rle(self, segmentation, message):
        with pytest.raises(ValueError) as error:
            check_segmentation(segmentation, 3, 5)
        assert str(error.value) == message
