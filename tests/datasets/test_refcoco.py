"""The RefCOCO data set over files in the published layout."""

import json
import pickle

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from mmris.datasets import RefCOCODataset, ReferringSampler
from mmris.registry import DATASETS
from tests.conftest import edit_instances, edit_refs, square, write_set

PIPELINE = [
    dict(type='LoadImage'),
    dict(type='LoadMasks'),
    dict(type='Letterbox', size=32),
    dict(type='Tokenize', tokenizer=dict(type='CLIPTokenizer', context_length=12)),
    dict(type='PackReferringInputs', masks=['gt_input', 'gt_original']),
]


def build(folder, **options):
    defaults = dict(
        type='RefCOCODataset', split='val', refs_file='refs(unc).p', data_root=str(folder), pipeline=PIPELINE)
    return DATASETS.build({**defaults, **options})


class TestReading:

    def test_groups(self, tmp_path):
        folder = write_set(tmp_path / 'set', sentences=2)
        for group_by, samples, expressions in (('image', 5, 6), ('ref', 15, 2), ('expression', 30, 1)):
            dataset = build(folder, group_by=group_by)
            assert len(dataset) == samples and dataset.num_expressions == 30
            assert all(len(dataset.get_data_info(index)['text']) == expressions for index in range(samples))

    def test_all_groups_hold_the_same_expressions_and_masks(self, tmp_path):
        folder = write_set(tmp_path / 'set', sentences=2)
        found = []
        for group_by in ('image', 'ref', 'expression'):
            masks = {}
            for packed in build(folder, group_by=group_by):
                sample = packed['data_samples']
                for position, sent_id in enumerate(sample.sent_ids):
                    masks[sent_id] = (sample.text[position], sample.ref_ids[position],
                                      sample.gt_original[position].nonzero().sum().item())
            found.append(masks)
        assert found[0] == found[1] == found[2] and len(found[0]) == 30

    def test_json_is_the_same_as_pickle(self, refer_set):
        refs = pickle.loads((refer_set / 'refs(unc).p').read_bytes())
        (refer_set / 'refs(unc).json').write_text(json.dumps(refs))
        one, other = build(refer_set), build(refer_set, refs_file='refs(unc).json')
        assert [one.get_data_info(i) for i in range(5)] == [other.get_data_info(i) for i in range(5)]

    def test_text_field(self, refer_set):
        assert build(refer_set).get_data_info(0)['text'][0] == 'square 0 of image 1'
        assert build(refer_set, text_field='raw').get_data_info(0)['text'][0] == 'Square 0!'

    def test_the_sample(self, refer_set):
        sample = build(refer_set)[0]['data_samples']
        assert sample.ori_shape == (43, 62) and sample.img_shape == (32, 32)
        assert sample.gt_original.shape == (3, 43, 62) and sample.gt_input.shape == (3, 32, 32)
        expected = np.zeros((43, 62), dtype=bool)
        expected[7:17, 4:14] = True
        assert (sample.gt_original[0].numpy() == expected).all()


class TestMasks:

    def mask(self, folder, segmentation, **options):

        def change(instances):
            instances['annotations'][0]['segmentation'] = segmentation
            instances['annotations'][0].update(options)

        edit_instances(folder, change)
        return build(folder)[0]['data_samples'].gt_original[0].numpy()

    def test_several_polygons_are_their_union(self, refer_set):
        mask = self.mask(refer_set, [square(0, 0, 10), square(5, 5, 10)])
        expected = np.zeros((43, 62), dtype=bool)
        expected[:10, :10] = expected[5:15, 5:15] = True
        assert (mask == expected).all()

    def test_rle_of_both_kinds_and_crowds(self, refer_set):
        expected = np.random.default_rng(0).random((43, 62)) < 0.3
        compressed = coco_mask.encode(np.asfortranarray(expected.astype(np.uint8)))
        text = dict(size=[43, 62], counts=compressed['counts'].decode())
        assert (self.mask(refer_set, text) == expected).all()
        flat = expected.flatten(order='F')
        edges = np.flatnonzero(np.diff(flat)) + 1
        counts = np.diff([0, *edges, flat.size]).tolist()
        counts = [0, *counts] if flat[0] else counts
        assert (self.mask(refer_set, dict(size=[43, 62], counts=counts), iscrowd=1) == expected).all()

    @pytest.mark.parametrize('segmentation, message', [
        ('polygons', 'a segmentation is a list of polygons or an RLE dict'),
        ([[1, 2, 3, 4]], 'a polygon needs three or more points, but this has 2'),
        (dict(size=[5, 5], counts=[25]), 'its size is 5 x 5, the image\'s 43 x 62'),
        (dict(size=[43, 62], counts=[25]), 'an RLE of 43 x 62 pixels needs counts of that sum, not 25'),
    ])
    def test_malformed_ones_name_ref_and_file(self, refer_set, segmentation, message):
        with pytest.raises(ValueError, match=f'The mask of ref 1 on .*000001.jpg is malformed: {message}'):
            self.mask(refer_set, segmentation)

    def test_several_and_no_annotations_of_one_ref(self, refer_set):
        """As in gRefCOCO: a list is a union, -1 an empty target."""

        def change(refs):
            refs[0]['ann_id'] = [101, 102]
            refs[1]['ann_id'] = -1

        edit_refs(refer_set, change)
        masks = build(refer_set)[0]['data_samples'].gt_original
        assert masks[0].sum() == 200 and masks[1].sum() == 0


class TestBadData:

    def test_missing_files(self, refer_set):
        with pytest.raises(FileNotFoundError, match=r'refs\(google\).p \(the .* expressions\) is missing.*data_root'):
            build(refer_set, refs_file='refs(google).p')
        (refer_set / 'instances.json').unlink()
        with pytest.raises(FileNotFoundError, match=r'instances.json \(COCO instance annotations\) is missing'):
            build(refer_set)

    def test_unknown_split(self, refer_set):
        with pytest.raises(ValueError, match=r"split 'testA' is not in .*refs\(unc\).p. Splits there: val"):
            build(refer_set, split='testA')

    @pytest.mark.parametrize('name, value', [('group_by', 'object'), ('text_field', 'tokens'), ('bad_data', 'ignore'),
                                             ('control', 'shuffled')])
    def test_unknown_option(self, refer_set, name, value):
        with pytest.raises(ValueError, match=f'{name} must be one of .*, but got \'{value}\''):
            build(refer_set, **{name: value})

    @pytest.mark.parametrize('options, message', [
        (dict(data_prefix=dict(img='images')), "is dict.img_path=FOLDER., .* got {'img': 'images'}. .* write img_path"),
        (dict(data_prefix=dict(img_path='images', ann='a')), "but got {'img_path': 'images', 'ann': 'a'}"),
        (dict(split_file='refs(unc).p'), "has no split_file, .*MMDetection's .* Here it is refs_file, such as refs_fi"),
        (dict(text_mode='random'), "has no text_mode, .* Here it is group_by='expression' for 'original'; gr"),
    ])
    def test_names_of_mmdetection(self, refer_set, options, message):
        with pytest.raises(ValueError, match=message):
            build(refer_set, **options)

    def test_half_a_json(self, refer_set):
        path = refer_set / 'instances.json'
        path.write_text(path.read_text()[:100])
        with pytest.raises(ValueError, match='instances.json is not a whole JSON file'):
            build(refer_set)


class TestDraws:

    @staticmethod
    def drawn(dataset):
        return [dataset.get_data_info(index)['sent_ids'] for index in range(len(dataset))]

    def test_a_draw_is_a_function_of_seed_epoch_and_index(self, tmp_path):
        folder = write_set(tmp_path / 'set', sentences=4)
        options = dict(group_by='image', expressions_per_image=3)
        one, same, other = build(folder, **options), build(folder, **options), build(folder, seed=1, **options)
        first = self.drawn(one)
        assert all(len(set(ids)) == 3 for ids in first)
        assert first == self.drawn(one) == self.drawn(same) != self.drawn(other)
        one.set_epoch(1)
        second = self.drawn(one)
        assert second != first and second == self.drawn(one)
        one.set_epoch(0)
        assert self.drawn(one) == first

    def test_every_expression_is_drawn_in_time(self, tmp_path):
        dataset = build(write_set(tmp_path / 'set', sentences=3), group_by='ref', expressions_per_image=1)
        seen = set()
        for epoch in range(30):
            dataset.set_epoch(epoch)
            seen.update(ids[0] for ids in self.drawn(dataset))
        assert len(seen) == 45

    def test_texts_and_masks_are_drawn_together(self, tmp_path):
        dataset = build(write_set(tmp_path / 'set', sentences=2), group_by='image', expressions_per_image=2)
        for index in range(5):
            sample = dataset[index]['data_samples']
            for position, text in enumerate(sample.text):
                place = int(text.split()[1])
                assert sample.gt_original[position].nonzero()[:, 1].min() == 4 + 12 * place

    def test_the_sampler_tells_the_epoch_to_workers_that_stay(self, tmp_path):
        from torch.utils.data import DataLoader
        dataset = build(write_set(tmp_path / 'set', sentences=4), group_by='image', expressions_per_image=2)
        sampler = ReferringSampler(dataset, shuffle=False, seed=0)
        loader = DataLoader(
            dataset, sampler=sampler, num_workers=1, persistent_workers=True, batch_size=None, collate_fn=lambda x: x)
        for epoch in (0, 1, 2):
            sampler.set_epoch(epoch)
            from_workers = [packed['data_samples'].sent_ids for packed in loader]
            assert from_workers == self.drawn(dataset)

    def test_runs_of_other_seeds_draw_otherwise(self, tmp_path):
        dataset = build(write_set(tmp_path / 'set', sentences=4), group_by='image', expressions_per_image=2)
        drawn = []
        for seed in (0, 1):
            ReferringSampler(dataset, seed=seed).set_epoch(0)
            drawn.append(self.drawn(dataset))
        assert drawn[0] != drawn[1]


class TestControls:

    def test_exchanged_sentences_are_a_derangement_of_objects(self, tmp_path):
        folder = write_set(tmp_path / 'set', sentences=2)
        plain, exchanged = build(folder), build(folder, control='exchanged')
        assert exchanged.num_expressions == 30
        for one, other in zip(plain, exchanged):
            one, other = one['data_samples'], other['data_samples']
            assert one.text == other.text
            assert not (one.gt_original & other.gt_original).any()
            assert (one.gt_original.flatten(1).sum(0) == other.gt_original.flatten(1).sum(0)).all()

    def test_an_image_with_one_object_takes_no_part(self, refer_set):
        edit_refs(refer_set, lambda refs: refs.__delitem__(slice(0, 2)))
        assert len(build(refer_set)) == 5
        assert len(build(refer_set, control='exchanged')) == 4

    def test_empty_sentences(self, refer_set):
        sample = build(refer_set, control='empty')[0]['data_samples']
        assert sample.text == ['', '', '']
        assert sample.token_mask.sum(dim=1).tolist() == [2, 2, 2]


def test_two_objects_that_share_the_id_of_a_ref(refer_set):
    """They stay two samples of a training."""
    edit_refs(refer_set, lambda refs: refs[1].update(ref_id=refs[0]['ref_id']))
    settings = dict(data_root=str(refer_set), refs_file='refs(unc).p', data_prefix=dict(img_path='images'), split='val')
    assert len(DATASETS.build(dict(type='RefCOCODataset', group_by='ref', **settings))) == 15


class TestImageShare:

    def load(self, folder, **settings):
        dataset = RefCOCODataset(
            split='train', refs_file='refs(unc).p', data_root=str(folder), data_prefix=dict(img_path='images'),
            **settings)
        return {dataset.get_data_info(index)['img_id'] for index in range(len(dataset))}

    def test_parts_share_no_image_and_miss_none(self, tmp_path):
        folder = write_set(tmp_path / 'set', images=20)
        refs = [dict(ref, split='train') for ref in pickle.loads((folder / 'refs(unc).p').read_bytes())]
        (folder / 'refs(unc).p').write_bytes(pickle.dumps(refs))
        small, large = self.load(folder, image_share=(0, 0.5)), self.load(folder, image_share=(0.5, 1))
        assert small and not small & large and small | large == self.load(folder) and large
        # It depends on the ids of images alone.
        (folder / 'refs(unc).p').write_bytes(pickle.dumps(refs[: len(refs) // 2]))
        assert self.load(folder, image_share=(0, 0.5)) <= small

    @pytest.mark.parametrize('share', [(0.5, 0.5), (-0.1, 1), (0, 1.5), (0.5, )])
    def test_no_share(self, refer_set, share):
        with pytest.raises(ValueError, match=r'image_share is a pair of numbers in \[0, 1\] in rising order'):
            self.load(refer_set, image_share=share)
