"""Sets held as REFER files with conventions of their own: gRefCOCO, Ref-ZOM, RefClef."""

import json
import pickle
import shutil

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from mmris.datasets.masks import union_of_segmentations
from mmris.datasets.set_check import check_set
from tests.datasets.readers.shaperef_forms import SPLITS, ReferSet, assert_same_samples, read_samples


@pytest.fixture
def refer_set(refer_folder):
    return ReferSet(refer_folder)


def check(folder, refs_file, images, **options):
    return check_set(
        instances_path=str(folder / 'instances.json'), refs_path=str(folder / refs_file), image_folder=str(images),
        decode=True, **options)


def rle_of(refer_set, image_id, annotation_ids):
    image = refer_set.images[image_id]
    mask = union_of_segmentations(
        [refer_set.annotations[one]['segmentation'] for one in annotation_ids], image['height'], image['width'])
    return image['height'], image['width'], coco_mask.encode(np.asfortranarray(mask))['counts']


class TestGRefCOCO:

    @staticmethod
    def write(folder, refer_set, **change):
        """`grefs(unc).json`: lists of ids and categories. Behind the refs of each image one of all its objects, and one
        of nothing."""
        refs = [dict(ref, ann_id=[ref['ann_id']], category_id=[ref['category_id']], no_target=False)
                for ref in refer_set.refs]
        for number, first in enumerate({ref['image_id']: ref for ref in refs}.values()):
            same = [one for one in refer_set.annotations.values() if one['image_id'] == first['image_id']]
            for offset, targets, text in ((0, same, 'everything'), (1, [], 'the pink elephant')):
                refs.append(dict(
                    first,
                    ref_id=1000 + 2 * number + offset,
                    ann_id=[one['id'] for one in targets] or [-1],
                    category_id=[one['category_id'] for one in targets] or [-1],
                    sent_ids=[9000 + 2 * number + offset],
                    sentences=[dict(sent_id=9000 + 2 * number + offset, sent=text, raw=text, tokens=text.split())],
                    no_target=not targets))
        for ref in refs:
            ref.update(change)
        folder.mkdir()
        (folder / 'grefs(unc).json').write_text(json.dumps(refs))
        shutil.copy(refer_set.folder / 'instances.json', folder)
        return folder

    def test_several_targets_are_united_and_none_is_empty(self, refer_set, tmp_path):
        folder, images = self.write(tmp_path / 'grefcoco', refer_set), refer_set.folder / 'images'
        for split in SPLITS:
            found = read_samples(split, 'grefs(unc).json', data_root=folder, image_folder=images)
            wanted = read_samples(split, 'refs(unc).p', data_root=refer_set.folder, image_folder=images)
            for image_id in {ref['image_id'] for ref in refer_set.of_split(split)}:
                ids = [one['id'] for one in refer_set.annotations.values() if one['image_id'] == image_id]
                assert len(ids) > 1
                wanted[refer_set.images[image_id]['file_name']].update([
                    ('everything', rle_of(refer_set, image_id, ids)),
                    ('the pink elephant', rle_of(refer_set, image_id, []))])
            assert found == wanted
        report = check(folder, 'grefs(unc).json', images)
        assert report.is_fine and report.splits['val'].counts.refs == len(refer_set.of_split('val')) + 8

    @pytest.mark.parametrize('change, message', [
        (dict(no_target=True), r'has ann_id=\[\d+\] and no_target=True, which says that nothing in the image fits'),
        (dict(ann_id=[-1], no_target=False), r'has ann_id=\[-1\] and no_target=False, which says that something in'),
        (dict(ann_id=None), 'has ann_id=None: it names no annotation. If nothing in the image fits the sentence, '),
    ])
    def test_contradictions(self, refer_set, tmp_path, change, message):
        folder = self.write(tmp_path / 'grefcoco', refer_set, **change)
        with pytest.raises(ValueError, match=message):
            read_samples('val', 'grefs(unc).json', data_root=folder, image_folder=refer_set.folder / 'images')


class TestRefZOM:

    @staticmethod
    def write(folder, refer_set, name):
        """A pickle whose refs have a `source`. Images of train2014 and of val2014 lie in one folder."""
        (folder / 'trainval2014').mkdir(parents=True)
        names = {}
        for one, image in refer_set.images.items():
            names[one] = image['file_name'].replace('train', 'val') if one % 2 else image['file_name']
            shutil.copy(refer_set.folder / 'images' / image['file_name'], folder / 'trainval2014' / names[one])
        instances = json.loads((refer_set.folder / 'instances.json').read_text())
        for image in instances['images']:
            image['file_name'] = names[image['id']]
        refs = [dict(ref, source='one', ann_id=ref['ann_id'] if number % 2 else [ref['ann_id']])
                for number, ref in enumerate(refer_set.refs)]
        refs += [dict(ref, ref_id=5000 + ref['ref_id'], source='zero', ann_id=[], category_id=[], sentences=[
            dict(one, sent_id=5000 + one['sent_id'], sent='a whale', raw='a whale') for one in ref['sentences'][:1]])
            for ref in refer_set.refs]
        (folder / name).write_bytes(pickle.dumps(refs))
        (folder / 'instances.json').write_text(json.dumps(instances))
        return folder

    @pytest.mark.parametrize('name, splits', [('Ref-ZOM(final).p', SPLITS), ('refs(final).p', ['val'])])
    def test_all_refs(self, refer_set, tmp_path, name, splits):
        folder = self.write(tmp_path / 'ref-zom', refer_set, name)
        for split in splits:
            found = read_samples(split, name, data_root=folder, image_folder='trainval2014')
            assert any('val2014' in one for one in found) and any('train2014' in one for one in found)
            wanted = read_samples(split, 'refs(unc).p', data_root=refer_set.folder, image_folder='images')
            for ref in refer_set.of_split(split):
                wanted[refer_set.images[ref['image_id']]['file_name']][
                    'a whale', rle_of(refer_set, ref['image_id'], [])] += 1
            assert {one.replace('val2014', 'train2014'): counts for one, counts in found.items()} == wanted
        assert check(folder, name, folder / 'trainval2014').is_fine

    def test_zero_with_a_target(self, refer_set, tmp_path):
        folder = self.write(tmp_path / 'ref-zom', refer_set, 'refs(final).p')
        refs = pickle.loads((folder / 'refs(final).p').read_bytes())
        refs[-1]['ann_id'] = [3]
        (folder / 'refs(final).p').write_bytes(pickle.dumps(refs))
        with pytest.raises(ValueError, match=r"has ann_id=\[3\] and source='zero', which says that nothing in the "
                           'image fits the sentence. Correct one of them'):
            read_samples(refs[-1]['split'], 'refs(final).p', data_root=folder, image_folder='trainval2014')


class TestRefClef:

    @staticmethod
    def write(folder, refer_set):
        """Lists of RLEs, images that are numbers, and splits of several letters."""
        (folder / 'saiapr_tc-12').mkdir(parents=True)
        instances = json.loads((refer_set.folder / 'instances.json').read_text())
        for image in instances['images']:
            name = f'{image["id"]}.jpg'
            shutil.copy(refer_set.folder / 'images' / image['file_name'], folder / 'saiapr_tc-12' / name)
            image['file_name'] = name
        for one in instances['annotations']:
            image = refer_set.images[one['image_id']]
            mask = union_of_segmentations([one['segmentation']], image['height'], image['width'])
            left, right = mask.copy(), mask.copy()
            middle = one['bbox'][0] + one['bbox'][2] // 2
            # They overlap: a sum would have twos, and drop them.
            left[:, middle + 2:], right[:, :middle] = 0, 0
            one['segmentation'] = [
                dict(size=rle['size'], counts=rle['counts'].decode())
                for rle in (coco_mask.encode(np.asfortranarray(part)) for part in (left, right))]
        refs = [dict(ref, split=dict(testA='testAB', testB='testBC').get(ref['split'], ref['split']))
                for ref in refer_set.refs]
        folder.joinpath('refs(unc).p').write_bytes(pickle.dumps(refs, protocol=2))
        folder.joinpath('instances.json').write_text(json.dumps(instances))
        return folder

    def test_all_splits(self, refer_set, tmp_path):
        folder = self.write(tmp_path / 'refclef', refer_set)

        def names(samples):
            return {f'{int(name[-16:-4])}.jpg': counts for name, counts in samples.items()}

        def read(split):
            return read_samples(split, 'refs(unc).p', data_root=folder, image_folder='saiapr_tc-12')

        wanted = {split: names(read_samples(split, 'refs(unc).p', data_root=refer_set.folder, image_folder='images'))
                  for split in SPLITS}
        assert read('train') == wanted['train'] and read('val') == wanted['val']
        assert read('testA') == read('testAB') == wanted['testA']
        assert read('testC') == read('testBC') == wanted['testB']
        assert read('testB') == read('test') == {**wanted['testA'], **wanted['testB']}
        assert check(folder, 'refs(unc).p', folder / 'saiapr_tc-12').is_fine

    def test_an_empty_segmentation(self, refer_set, tmp_path):
        folder = self.write(tmp_path / 'refclef', refer_set)
        instances = json.loads((folder / 'instances.json').read_text())
        ref = refer_set.of_split('val')[0]
        next(one for one in instances['annotations'] if one['id'] == ref['ann_id'])['segmentation'] = []
        (folder / 'instances.json').write_text(json.dumps(instances))
        problem, = check(folder, 'refs(unc).p', folder / 'saiapr_tc-12').problems
        assert problem.kind == 'empty mask' and problem.entry == f'ref {ref["ref_id"]}'
        assert f'the segmentation of annotation {ref["ann_id"]} in ' in problem.message
        message = r'is empty: .* is \[\]\. Repair or remove the ref\. Or set bad_data=.skip. of the data set to'
        arguments = dict(data_root=folder, image_folder='saiapr_tc-12')
        with pytest.raises(ValueError, match=message):
            read_samples('val', 'refs(unc).p', **arguments)
        left = read_samples('val', 'refs(unc).p', bad_data='skip', **arguments)
        wanted = sum(len(one['sentences']) for one in refer_set.of_split('val') if one is not ref)
        assert sum(counts.total() for counts in left.values()) == wanted


def test_numbers_of_numpy(refer_set, tmp_path):
    """A pickle that was written with NumPy."""
    refs = [dict(ref, ref_id=np.int64(ref['ref_id']), ann_id=[np.int32(ref['ann_id'])],
                 image_id=np.uint64(ref['image_id']), no_target=np.bool_(False)) for ref in refer_set.refs]
    (tmp_path / 'refs(unc).p').write_bytes(pickle.dumps(refs))
    assert_same_samples(
        refer_set.folder, tmp_path / 'refs(unc).p', ann_file=refer_set.folder / 'instances.json', splits=['val'])
