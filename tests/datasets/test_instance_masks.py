"""Instance masks: from a COCO results file to what a model takes in."""

import json

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from pycocotools import mask as coco_mask

from mmris.datasets import problems
from mmris.datasets.controls import split_settings
from mmris.datasets.instance_masks import decode_instances, read_instance_masks, sample_masks
from mmris.models import ReferringDataPreprocessor
from mmris.registry import DATASETS, TRANSFORMS
from tests.conftest import square, write_set

FILE = 'found.segm.json'
LOAD = [dict(type='LoadImage'), dict(type='LoadMasks'), dict(type='LoadInstanceMasks'), dict(type='MatchInstances')]
PACK = [
    dict(type='Letterbox', size=32),
    dict(type='Tokenize', tokenizer=dict(type='CLIPTokenizer', context_length=12)),
    dict(type='PackReferringInputs', masks=['gt_input', 'gt_original', 'instance_iou']),
]
SIZES = {image_id: (40 + 3 * image_id, 64 - 2 * image_id) for image_id in range(1, 6)}


def result(image_id, score, x=4, y=None, size=10):
    """A result of mmdet's form: a square, by default that of the image's first object."""
    height, width = SIZES[image_id]
    mask = np.zeros((height, width), dtype=np.uint8)
    y = 6 + image_id if y is None else y
    mask[y:y + size, x:x + size] = 1
    rle = coco_mask.encode(np.asfortranarray(mask))
    segmentation = dict(size=[height, width], counts=rle['counts'].decode())
    return dict(image_id=image_id, bbox=[x, y, size, size], score=score, category_id=1, segmentation=segmentation)


def one_each():
    return [result(image_id, 0.9) for image_id in SIZES]


def write(folder, content):
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / FILE).write_text(text)
    return str(folder / FILE)


def build(folder, content, *, pipeline=(*LOAD, *PACK), **options):
    write(folder, content)
    settings = dict(file=FILE, **options.pop('settings', {}))
    return DATASETS.build(
        dict(
            type='RefCOCODataset',
            split='val',
            refs_file='refs(unc).p',
            data_root=str(folder),
            # MMEngine would collect all garbage, for longer than these take to load.
            serialize_data=False,
            pipeline=list(pipeline),
            **{'instance_masks': settings, **options}))


def scores(dataset):
    return {
        info['img_id']: [instance['score'] for instance in info['instances']]
        for info in map(dataset.get_data_info, range(len(dataset)))
    }


@pytest.fixture
def warnings(monkeypatch):
    """What data sets log of problems."""
    logged = []
    monkeypatch.setattr(problems, 'print_log', lambda message, **options: logged.append(message))
    return logged


class TestReading:

    def test_surest_first_and_ties_in_the_order_of_the_file(self, tmp_path):
        path = write(tmp_path, [
            result(1, 0.5, x=0), result(2, 0.31), result(1, 0.9), result(1, 0.5, x=9), result(1, 0.299), result(1, 0.3),
            result(3, 0.1)
        ])
        found = read_instance_masks(path)
        assert [instance['score'] for instance in found[1]] == [0.9, 0.5, 0.5, 0.3]
        masks = decode_instances(found[1], *SIZES[1], name='one')
        assert masks.dtype == np.uint8 and [mask.nonzero()[1].min() for mask in masks] == [4, 0, 9, 4]
        # Image 3 was looked at, so it is there; none of its masks is sure enough.
        assert {image_id: len(one) for image_id, one in found.items()} == {1: 4, 2: 1, 3: 0}

    def test_limits(self, tmp_path):
        path = write(tmp_path, [result(1, 0.05 * number) for number in range(1, 20)] * 3)
        assert len(read_instance_masks(path)[1]) == 32
        found = read_instance_masks(path, min_score=0, max_instances=4)[1]
        assert [instance['score'] for instance in found] == pytest.approx([0.95, 0.95, 0.95, 0.9])
        assert len(read_instance_masks(path, min_score=0, max_instances=99)[1]) == 57
        assert len(read_instance_masks(path, min_score=0.951, max_instances=99)[1]) == 0

    def test_entries_of_other_images_are_not_even_checked(self, tmp_path):
        path = write(tmp_path, [result(1, 0.9), dict(image_id=2), dict(result(3, 0.9), score='sure')])
        assert read_instance_masks(path, image_ids={1}).keys() == {1}
        with pytest.raises(ValueError, match='the result at position 1 has score=None'):
            read_instance_masks(path, image_ids={1, 2})

    @pytest.mark.parametrize('changes, message', [
        (dict(image_id=None), 'has image_id=None, but ids are whole numbers or text'),
        (dict(score='high'), 'has score=\'high\', but a score is a finite number'),
        (dict(score=float('nan')), 'has score=nan'),
        (dict(score=-10**400), 'has score=-1000000.*, but a score is a finite number'),
        (dict(score=True), 'has score=True, but a score is a finite number'),
    ])
    def test_malformed_results(self, tmp_path, changes, message):
        path = write(tmp_path, [result(1, 0.9), dict(result(2, 0.9), **changes)])
        # Nothing of settings of a data set: whoever reads a file may have none.
        with pytest.raises(ValueError, match=f'{FILE}: the result at position 1 {message}.* Make the file again.$'):
            read_instance_masks(path)

    def test_results_that_are_boxes_or_nothing(self, tmp_path):
        boxes = [{key: value for key, value in result(1, 0.9).items() if key != 'segmentation'}]
        with pytest.raises(ValueError, match=r'at position 0 lacks segmentation: boxes alone .* \.segm\.json'):
            read_instance_masks(write(tmp_path, boxes))
        with pytest.raises(ValueError, match='position 0 is None instead of a dict with image_id, score and segm'):
            read_instance_masks(write(tmp_path, [None]))

    def test_files_that_are_none(self, tmp_path):
        with pytest.raises(FileNotFoundError, match='absent.json .*a COCO results file. is missing.*below data_root. '
                           'A ShapeRef that lacks it is of an earlier version: make_shaperef.py --overwrite makes'):
            read_instance_masks(str(tmp_path / 'absent.json'))
        with pytest.raises(ValueError, match=f'{FILE} is not a whole JSON file .* Fetch or make it again.$'):
            read_instance_masks(write(tmp_path, '[{"image_id": 1'))
        with pytest.raises(ValueError, match=f'{FILE}: the result at position 0 is inf instead of a dict with im'):
            read_instance_masks(write(tmp_path, f'[{"9" * 5000}]'))
        with pytest.raises(ValueError, match=f'{FILE} holds a dict, but a COCO results file is a list of results'):
            read_instance_masks(write(tmp_path, dict(images=[], annotations=[dict(id=1, image_id=1)])))

    @pytest.mark.parametrize('limits, message', [
        (dict(min_score=1.5), 'min_score of instance masks must be a number from 0 to 1, but got 1.5'),
        (dict(min_score='0.3'), 'min_score of instance masks must be a number'),
        (dict(max_instances=0), 'max_instances must be an integer of at least 1, but got 0'),
    ])
    def test_limits_that_are_none(self, tmp_path, limits, message):
        with pytest.raises(ValueError, match=message):
            read_instance_masks(write(tmp_path, []), **limits)


class TestDecoding:

    def test_no_instance(self):
        masks = decode_instances([], 5, 7, name='photo.jpg')
        assert masks.shape == (0, 5, 7) and masks.dtype == np.uint8

    def test_polygons_and_uncompressed_counts(self):
        instances = [dict(segmentation=[square(1, 2, 3)]), dict(segmentation=dict(size=[6, 8], counts=[7, 2, 39]))]
        masks = decode_instances(instances, 6, 8, name='photo.jpg')
        expected = np.zeros((2, 6, 8), dtype=np.uint8)
        expected[0, 2:5, 1:4] = expected[1, 1:3, 1] = 1
        assert np.array_equal(masks, expected)

    def test_a_mask_of_another_size_names_the_image(self):
        instances = [result(1, 0.9), result(2, 0.9)]
        with pytest.raises(ValueError, match="mask 2 of photo.jpg is malformed: its size is 46 x 60, the .* 43 x 62"):
            decode_instances(instances, *SIZES[1], name='photo.jpg')


class TestDataSet:

    def test_a_sample(self, refer_set):
        content = one_each() + [result(1, 0.95, x=20, y=20, size=9), result(1, 0.2)]
        packed = build(refer_set, content)[0]
        sample = packed['data_samples']
        assert sample.instance_masks.shape == (2, 32, 32) and sample.instance_masks.dtype == torch.bool
        assert torch.equal(sample.instance_masks[1], sample.gt_input[0] >= 128)
        assert sample.instance_iou.dtype == torch.float32
        assert sample.instance_iou.tolist() == [[0, 1], [0, 0], [0, 0]]

    def test_every_grouping_has_them(self, tmp_path):
        folder = write_set(tmp_path / 'set', sentences=2)
        for group_by in ('image', 'ref', 'expression'):
            dataset = build(folder, one_each(), group_by=group_by)
            assert scores(dataset) == {image_id: [0.9] for image_id in SIZES}

    def test_a_draw_of_expressions_keeps_all_instances(self, refer_set):
        content = one_each() + [result(1, 0.8, x=30), result(1, 0.7, x=40)]
        sample = build(refer_set, content, expressions_per_image=1)[0]['data_samples']
        assert len(sample.instance_masks) == 3 and sample.instance_iou.shape == (1, 3)

    def test_without_a_mask(self, refer_set):
        dataset = build(refer_set, [result(image_id, 0.1) for image_id in SIZES])
        sample = dataset[0]['data_samples']
        assert sample.instance_masks.shape == (0, 32, 32) and sample.instance_masks.dtype == torch.bool
        assert sample.instance_iou.shape == (3, 0)

    def test_images_of_a_batch_may_have_different_numbers(self, refer_set):
        dataset = build(refer_set, one_each() + [result(2, 0.8, x=30), result(3, 0.1)], settings=dict(min_score=0.3))
        batch = ReferringDataPreprocessor(mean=(0, 0, 0), std=(1, 1, 1))(pseudo_collate([dataset[0], dataset[1]]))
        instances = batch['inputs'].images.instances
        assert instances.masks.shape == (2, 2, 32, 32) and instances.present.tolist() == [[True, False], [True, True]]

    def test_sample_masks(self, refer_set):
        info = build(refer_set, one_each()).get_data_info(1)
        masks = sample_masks(info)
        assert masks.shape == (1, *SIZES[2]) and masks.sum() == 100
        assert sample_masks(build(refer_set, [], instance_masks=None).get_data_info(1)) is None

    def test_several_sets_each_with_its_file(self, tmp_path):
        folders = [write_set(tmp_path / name) for name in 'ab']
        for folder, score in zip(folders, (0.6, 0.7)):
            write(folder, [result(image_id, score) for image_id in SIZES])
        mixed = DATASETS.build(
            dict(
                type='MixedDataset',
                data_root=str(tmp_path),
                split='val',
                pipeline=[],
                datasets={
                    name: dict(
                        refs_file=f'{name}/refs(unc).p',
                        ann_file=f'{name}/instances.json',
                        data_prefix=dict(img_path=f'{name}/images'),
                        instance_masks=dict(file=f'{name}/{FILE}'))
                    for name in 'ab'
                }))
        assert [instance['score'] for info in mixed for instance in info['instances']] == [0.6] * 5 + [0.7] * 5


class TestBadData:
    BROKEN = {
        'another size': (result(1, 0.9)['segmentation'], "its size is 43 x 62, the image's 46 x 60 .height x width"),
        'no whole number': (dict(size=[46, 60], counts='o'), 'counts of an RLE are integers'),
        'nothing': (None, 'a segmentation is a list of polygons or an RLE dict'),
    }
    ADVICE = ("Or set problems='skip' in instance_masks of the data set: such masks are left out, and an image that "
              'the file lacks has none.$')

    @pytest.mark.parametrize('kind', BROKEN)
    def test_a_malformed_mask(self, refer_set, warnings, kind):
        segmentation, message = self.BROKEN[kind]
        broken = dict(result(2, 0.77), segmentation=segmentation)
        content = one_each() + [broken, broken]
        with pytest.raises(ValueError, match=f'{FILE}: an instance mask of image 2 .*000002.jpg, score 0.77. is '
                           f'malformed: .*{message}.* at their own size. {self.ADVICE}'):
            build(refer_set, content).full_init()
        assert scores(build(refer_set, content, settings=dict(problems='skip')))[2] == [0.9]
        warning, = warnings
        assert warning.startswith(f'{refer_set / FILE}: 2 skipped: malformed instance mask; the first: ')
        # It was done already, so it is no advice.
        assert 'score 0.77' in warning and warning.endswith('at their own size.')

    def test_a_malformed_mask_that_is_not_sure_enough_is_no_matter(self, refer_set):
        broken = dict(result(2, 0.77), segmentation=None)
        dataset = build(refer_set, one_each() + [broken], settings=dict(min_score=0.8))
        assert scores(dataset)[2] == [0.9]

    def test_images_that_the_file_lacks(self, refer_set, warnings):
        content = one_each()[:3]
        with pytest.raises(ValueError, match=f'{FILE} has no result for image 4 .*000004.jpg.: .* {self.ADVICE}'):
            build(refer_set, content).full_init()
        dataset = build(refer_set, content, settings=dict(problems='skip'))
        assert scores(dataset) == {1: [0.9], 2: [0.9], 3: [0.9], 4: [], 5: []}
        assert len(dataset[4]['data_samples'].instance_masks) == 0
        warning, = warnings
        assert ': 2 skipped: image without results; the first: ' in warning and 'image 4' in warning
        assert warning.endswith('Run the segmenter on all images of the set.')

    def test_malformed_results_are_counted(self, refer_set, warnings):
        content = one_each() + [dict(image_id=1), 5]
        assert scores(build(refer_set, content, settings=dict(problems='skip')))[1] == [0.9]
        assert len(warnings) == 1 and ': 2 skipped: malformed result; the first: ' in warnings[0]
        with pytest.raises(ValueError, match=f'the result at position 5 has score=None.* {self.ADVICE}'):
            build(refer_set, content).full_init()

    def test_malformed_masks_take_no_place_of_the_surest(self, refer_set, warnings):
        broken = dict(result(2, 0.99), segmentation=None)
        content = one_each() + [broken] * 3 + [result(2, 0.8), result(2, 0.7), dict(broken, score=0.6)]
        dataset = build(refer_set, content, settings=dict(problems='skip', max_instances=2))
        assert scores(dataset)[2] == [0.9, 0.8]
        # The one behind the surest is not looked at.
        assert len(warnings) == 1 and ': 3 skipped: malformed instance mask' in warnings[0]

    @pytest.mark.parametrize('settings, message', [
        (dict(score=0.5), 'instance_masks takes file, min_score, max_instances, problems, but got score'),
        (dict(problems='ignore'), "problems of instance_masks must be 'raise' or 'skip', but got 'ignore'"),
        (dict(min_score=-1), 'min_score of instance masks must be a number from 0 to 1, but got -1'),
        (dict(max_instances=0), 'max_instances must be an integer of at least 1, but got 0'),
        (dict(file=None), r"instance_masks must name a COCO results file below data_root, such as dict\(file="),
    ])
    def test_settings_that_are_none(self, refer_set, settings, message):
        with pytest.raises(ValueError, match=message):
            build(refer_set, [], instance_masks=dict(dict(file=FILE), **settings))


class TestControls:

    def test_shuffled_masks_are_those_of_the_next_image_at_its_size(self, refer_set):
        content = one_each() + [result(2, 0.8, x=0, y=0, size=23)]
        plain, shuffled = build(refer_set, content), build(refer_set, content, control='shuffled_masks')
        assert scores(shuffled) == {1: [0.9, 0.8], 2: [0.9], 3: [0.9], 4: [0.9], 5: [0.9]}
        for place in range(5):
            given = sample_masks(shuffled.get_data_info(place))
            other = sample_masks(plain.get_data_info((place + 1) % 5))
            assert given.shape[1:] == SIZES[place + 1]
            for one, origin in zip(given, other):
                centres = [np.argwhere(mask).mean(axis=0) / mask.shape for mask in (one, origin)]
                assert np.allclose(*centres, atol=0.03) and one.mean() == pytest.approx(origin.mean(), rel=0.12)
        sentences = [[dataset.get_data_info(place)['text'] for place in range(5)] for dataset in (plain, shuffled)]
        assert sentences[0] == sentences[1]

    def test_shuffled_masks_of_equal_sizes_stay_as_they_are(self, tmp_path):
        folder = write_set(tmp_path / 'set', images=2)
        content = json.loads((folder / 'instances.json').read_text())
        for image in content['images']:
            image.update(height=43, width=62)
        (folder / 'instances.json').write_text(json.dumps(content))
        found = [result(1, 0.9), dict(result(1, 0.8, x=20), image_id=2)]
        infos = [build(folder, found, control=control).get_data_info(0) for control in (None, 'shuffled_masks')]
        assert infos[0]['instances'] != infos[1]['instances']
        assert infos[1]['instances'] == [dict(score=0.8, segmentation=found[1]['segmentation'])]

    def test_no_masks(self, refer_set):
        dataset = build(refer_set, one_each(), control='no_masks')
        assert scores(dataset) == {image_id: [] for image_id in SIZES}
        assert dataset[0]['data_samples'].instance_masks.shape == (0, 32, 32)

    @pytest.mark.parametrize('control', ['shuffled_masks', 'no_masks'])
    def test_there_must_be_masks(self, refer_set, control):
        with pytest.raises(ValueError, match=f'The control {control} is about instance masks, but the data set has '
                           r'none: set instance_masks=dict\(file=...\), or choose one of exchanged, empty'):
            build(refer_set, [], instance_masks=None, control=control)

    @pytest.mark.parametrize('control', ['shuffled_masks', 'no_masks'])
    def test_what_its_evaluation_is_called(self, control):
        assert split_settings(Config(), f'testA_{control}') == dict(split='testA', control=control)

    def test_one_image_cannot_be_shuffled(self, tmp_path):
        folder = write_set(tmp_path / 'set', images=1)
        with pytest.raises(ValueError, match=r'shuffled_masks gives each image .* the split has 1 image\(s\)'):
            build(folder, [result(1, 0.9)], control='shuffled_masks').full_init()


class TestTransforms:

    @pytest.mark.parametrize('kind', ['Letterbox', 'Resize'])
    @pytest.mark.parametrize('size', [24, 96, (40, 80)])
    def test_an_instance_equal_to_the_target_stays_equal(self, kind, size):
        generator = np.random.default_rng(0)
        masks = (generator.random((3, 45, 61)) < 0.5).astype(np.uint8)
        results = dict(img=np.zeros((45, 61, 3), dtype=np.uint8), gt_original=masks, instance_masks=masks.copy())
        results = TRANSFORMS.build(dict(type=kind, size=size))(results)
        assert results['instance_input'].dtype == bool
        assert np.array_equal(results['instance_input'], results['gt_input'] >= 128)
        assert 0.3 < results['instance_input'].mean() < 0.6 or kind == 'Letterbox'

    def test_iou_against_its_definition(self):
        generator = np.random.default_rng(0)
        targets, found = (generator.random((count, 9, 11)) < 0.4 for count in (3, 5))
        targets[1] = found[2] = False
        results = dict(gt_original=targets.astype(np.uint8), instance_masks=found.astype(np.uint8))
        matched = TRANSFORMS.build(dict(type='MatchInstances'))(results)['instance_iou']
        assert matched.dtype == np.float32 and matched.shape == (3, 5)
        for row, target in zip(matched, targets):
            for value, mask in zip(row, found):
                union = (target | mask).sum()
                assert value == pytest.approx((target & mask).sum() / union if union else 0)

    @pytest.mark.parametrize('expressions, instances', [(0, 2), (2, 0), (0, 0)])
    def test_iou_of_nothing(self, expressions, instances):
        results = dict(gt_original=np.ones((expressions, 4, 5)), instance_masks=np.ones((instances, 4, 5)))
        assert TRANSFORMS.build(dict(type='MatchInstances'))(results)['instance_iou'].shape == (expressions, instances)

    @pytest.mark.parametrize('key, maker', [('gt_original', 'LoadMasks'), ('instance_masks', 'LoadInstanceMasks')])
    def test_matching_needs_both(self, key, maker):
        results = dict(gt_original=np.zeros((1, 2, 2)), instance_masks=np.zeros((1, 2, 2)))
        del results[key]
        with pytest.raises(ValueError, match=f'MatchInstances needs {key}, which {maker} makes: put it before'):
            TRANSFORMS.build(dict(type='MatchInstances'))(results)

    def test_a_pipeline_that_wants_masks_of_a_set_without(self, refer_set):
        dataset = build(refer_set, [], instance_masks=None)
        with pytest.raises(ValueError, match=r'the data set has no instance masks: set instance_masks=dict\(file='):
            dataset[0]

    def test_masks_loaded_behind_the_letterbox(self, refer_set):
        dataset = build(refer_set, one_each(), pipeline=[LOAD[0], PACK[0], *LOAD[1:], *PACK[1:2], dict(
            type='PackReferringInputs')])
        with pytest.raises(ValueError, match='put LoadInstanceMasks before Letterbox or Resize'):
            dataset[0]

    def test_iou_that_nobody_made(self, refer_set):
        dataset = build(refer_set, one_each(), pipeline=[*LOAD[:3], *PACK])
        with pytest.raises(ValueError, match='is to pack instance_iou, but no transform made it: MatchInstances makes'):
            dataset[0]
