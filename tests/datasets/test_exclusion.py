"""Images of other sets' splits are left out of a training, or it does not begin."""

import json
import os
import pickle

import pytest
from mmengine.logging import MMLogger

from mmris.datasets.set_check import check_set
from mmris.registry import DATASETS
from tests.conftest import edit_instances, edit_refs, write_set
from tests.datasets.refcoco_family import write_splits


@pytest.fixture
def sets(tmp_path):
    """A set of 8 images with 2 refs of 3 sentences each, and another, of the same images, that others are parted in."""
    for name, splits in (('mine', dict(val=[8])), ('other', dict(val=[1, 2], test=[3], testA=[8]))):
        write_set(tmp_path / name, images=8, refs_per_image=2, sentences=3)
        write_splits(tmp_path / name, 'unc', splits)
    return tmp_path


def build(sets, exclude, **options):
    defaults = dict(
        type='RefCOCODataset',
        split='train',
        data_root=str(sets),
        refs_file='mine/refs(unc).p',
        ann_file='mine/instances.json',
        data_prefix=dict(img_path='mine/images'))
    return DATASETS.build({**defaults, 'exclude': exclude, **options})


def other(*splits):
    return dict(other=dict(refs_file='other/refs(unc).p', splits=list(splits)))


def images(dataset):
    return [dataset.get_data_info(index)['img_id'] for index in range(len(dataset))]


class TestWhatIsLeft:

    def test_images_of_the_splits_go_and_all_others_stay_as_they_are(self, sets):
        plain, left = build(sets, None), build(sets, other('val', 'testA'))
        assert images(plain) == [1, 2, 3, 4, 5, 6, 7] and images(left) == [3, 4, 5, 6, 7]
        write_splits(sets / 'other', 'unc', dict(val=[1, 2, 3, 4, 5], test=[6]))
        left = build(sets, other('val', 'test'))
        assert images(left) == [7]
        wanted = dict(plain.get_data_info(6), sample_idx=0)
        assert left.get_data_info(0) == wanted

    @pytest.mark.parametrize('group_by, samples', [('image', 3), ('ref', 6), ('expression', 18)])
    def test_counts_and_groups(self, sets, group_by, samples):
        write_splits(sets / 'other', 'unc', dict(val=[1, 2], test=[3], testA=[4]))
        dataset = build(sets, other('val', 'test', 'testA'), group_by=group_by)
        assert len(dataset) == samples and dataset.num_expressions == 18
        assert set(images(dataset)) == {5, 6, 7}

    def test_an_image_that_is_partly_in_a_split_goes_as_a_whole(self, sets):
        """As in the Google partitions, which part objects."""

        def change(refs):
            for ref in refs:
                ref['split'] = 'val' if ref['ref_id'] in (3, 9) else 'train'

        edit_refs(sets / 'other', change)
        assert images(build(sets, other('val'))) == [1, 3, 4, 6, 7]

    def test_refs_of_two_splits(self, sets):
        write_splits(sets / 'other', 'unc', dict(testAB=[1, 2], test=[3]))
        assert images(build(sets, other('testA'))) == [3, 4, 5, 6, 7]

    def test_its_own_splits(self, sets):
        """In a partition of objects, val's images are in train too."""
        edit_refs(sets / 'mine', lambda refs: refs[0].update(split='val'))
        own = dict(own=dict(refs_file='mine/refs(unc).p', splits=['val']))
        assert images(build(sets, None))[0] == 1 and images(build(sets, own)) == [2, 3, 4, 5, 6, 7]

    def test_several_files_and_one_taken_back(self, sets):
        (sets / 'other/refs(google).json').write_text(
            json.dumps(pickle.loads((sets / 'other/refs(unc).p').read_bytes())))
        google = dict(google=dict(refs_file='other/refs(google).json', splits=['testA', 'test']))
        assert images(build(sets, {**other('val'), **google})) == [4, 5, 6, 7]
        assert images(build(sets, {**other('val'), 'google': None})) == [3, 4, 5, 6, 7]
        assert images(build(sets, {})) == [1, 2, 3, 4, 5, 6, 7]

    def test_the_image_need_not_be_there(self, sets):
        (sets / 'mine/images/COCO_train2014_000000000001.jpg').unlink()
        with pytest.raises(FileNotFoundError, match='000001.jpg, the image of ref 1'):
            build(sets, None)
        write_splits(sets / 'other', 'unc', dict(val=[1]))
        assert images(build(sets, other('val'))) == [2, 3, 4, 5, 6, 7]

    def test_the_log_counts(self, sets, caplog):
        logger = MMLogger.get_instance('exclusion', log_level='INFO')
        logger.addHandler(caplog.handler)
        write_splits(sets / 'other', 'unc', dict(val=[1, 2], test=[3, 8], testA=[8]))
        build(sets, {**other('val', 'test'), 'again': dict(refs_file='other/refs(unc).p', splits=['val'])})
        assert ('mine/refs(unc).p, split train: 3 of 7 images are left out with 18 of 42 expressions, since they are '
                'in splits to evaluate on: other (val, test) 3, again (val) 2.') in caplog.text


    def test_a_file_is_read_again_when_it_is_another(self, sets):
        """By its size, or by its time where the size is the same."""
        path = sets / 'other/refs(unc).p'
        assert images(build(sets, other('val'))) == [3, 4, 5, 6, 7]
        before = path.stat()
        write_splits(sets / 'other', 'unc', dict(val=[3, 4], test=[1], testA=[8]))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
        assert path.stat().st_size == before.st_size
        assert images(build(sets, other('val'))) == [1, 2, 5, 6, 7]
        edit_refs(sets / 'other', lambda refs: [ref.update(split='val', note=7) for ref in refs if ref['image_id'] < 5])
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
        assert path.stat().st_size != before.st_size
        assert images(build(sets, other('val'))) == [5, 6, 7]


class TestErrors:

    def test_a_missing_file_says_how_to_do_without(self, sets):
        google = dict(refcoco_google=dict(refs_file='other/refs(google).p', splits=['val', 'test']))
        with pytest.raises(FileNotFoundError) as error:
            build(sets, google)
        for part in (r'other/refs(google).p is missing, whose images of val, test', 'docs/data.md',
                     "set exclude['refcoco_google'] of the data set to None", 'do not evaluate on these splits'):
            assert part in str(error.value)

    def test_an_unknown_split(self, sets):
        with pytest.raises(ValueError, match=r"exclude\['other'\] names split 'testB', which is not in .*other/refs"
                           r'.unc..p. Splits there: train, val, testA, test'):
            build(sets, other('val', 'testB'))

    @pytest.mark.parametrize('entry', [
        dict(refs_file='other/refs(unc).p'),
        dict(refs_file='other/refs(unc).p', splits='val'),
        dict(refs_file='other/refs(unc).p', splits=[]),
        dict(refs_file='other/refs(unc).p', splits=['val'], split='val'),
        'other/refs(unc).p',
    ])
    def test_an_entry_of_another_form(self, sets, entry):
        with pytest.raises(ValueError, match=r"exclude\['one'\] must be dict\(refs_file=.* or None, but got .*other"):
            build(sets, dict(one=entry))

    def test_a_list(self, sets):
        with pytest.raises(ValueError, match='exclude must be a dict of .* by name, but got'):
            build(sets, list(other('val').values()))

    def test_a_malformed_ref_is_not_skipped(self, sets):
        """Where it should have told which image to leave out."""
        edit_refs(sets / 'other', lambda refs: refs[3].pop('image_id'))
        with pytest.raises(ValueError, match='other/refs.unc..p: ref at position 3 lacks image_id'):
            build(sets, other('val'), bad_data='skip')

    @pytest.mark.parametrize('change', [
        lambda ref: ref.update(sentences=[]), lambda ref: ref['sentences'][0].update(sent_id=None),
        lambda ref: ref['sentences'][0].update(skills='colour'), lambda ref: ref.update(ann_id=None)
    ])
    def test_what_else_is_wrong_with_its_ref_does_not_matter(self, sets, change):
        edit_refs(sets / 'other', lambda refs: change(refs[2]))
        assert images(build(sets, other('val'))) == [3, 4, 5, 6, 7]

    def test_the_check_of_a_set_reads_what_is_to_be_left_out(self, sets):

        def problems(exclude):
            folder = sets / 'mine'
            return check_set(
                instances_path=str(folder / 'instances.json'), refs_path=str(folder / 'refs(unc).p'),
                image_folder=str(folder / 'images'), exclude=exclude, data_root=str(sets)).problems

        assert not problems(other('val'))
        problem, = problems(other('none'))
        assert problem.kind == 'images to leave out' and "names split 'none', which is not in" in problem.message
        edit_refs(sets / 'other', lambda refs: refs[3].pop('image_id'))
        problem, = problems(other('val'))
        assert 'ref at position 3 lacks image_id' in problem.message

    def test_nothing_is_left(self, sets):
        own = dict(own=dict(refs_file='mine/refs(unc).p', splits=['train']))
        with pytest.raises(ValueError, match="No expression is left of split 'train' of .*mine/refs"):
            build(sets, own)


class TestIdentity:
    """Ids mean images, or it is an error: leaving out by other ids would let the right images leak."""

    def rename(self, sets, new):
        """Name the images of the other set otherwise, in its refs alone: its annotation file is not read."""
        edit_refs(sets / 'other', lambda refs: [
            ref.update(file_name=new(ref['image_id'], ref['ann_id'])) for ref in refs])

    def test_another_image_by_the_same_id(self, sets):
        self.rename(sets, lambda image, annotation: f'COCO_train2014_{image + 100:012d}_{annotation}.jpg')
        with pytest.raises(ValueError, match=r'Image 1 of .*mine/instances.json is COCO_train2014_000000000001, and '
                           r'in .*other/refs.unc..p image 1 goes by COCO_train2014_000000000101_10\d: .* not mean the '
                           r'same images, .* give these the same ones'):
            build(sets, other('val'))

    def test_the_same_image_by_another_id(self, sets):

        def change(refs):
            for ref in refs:
                ref['image_id'] += 100

        edit_refs(sets / 'other', change)
        with pytest.raises(ValueError, match=r'Image 1 of .*000000000001, and in .* image 101 goes by COCO_train2014_'
                           r'000000000001_10\d: .*do not mean the same images'):
            build(sets, other('val'))

    @pytest.mark.parametrize('new', [
        lambda image, annotation: f'COCO_train2014_{image:012d}.jpg',
        lambda image, annotation: f'train2014/COCO_train2014_{image:012d}_7.png',
        lambda image, annotation: None,
    ])
    def test_names_that_agree(self, sets, new):
        """Without an appended number, in a folder, or with none at all, where the id alone tells."""
        self.rename(sets, new)
        assert images(build(sets, other('val'))) == [3, 4, 5, 6, 7]

    def test_images_of_a_folder(self, sets):

        def change(content):
            for image in content['images']:
                image['file_name'] = f'../images/{image["file_name"]}'

        edit_instances(sets / 'mine', change)
        assert images(build(sets, other('test'))) == [1, 2, 4, 5, 6, 7]
