"""Reading the published files, and what the data set does with problems in them."""

import gc
import mmap

import pytest

from mmris.datasets.image_files import read_image_header, read_image_size
from mmris.datasets.refer_files import read_refer_files
from mmris.registry import DATASETS
from mmris.utils.memory import gc_paused, process_memory
from mmris.utils.tables import markdown_table
from tests.conftest import edit_instances, edit_refs


def build(folder, **options):
    defaults = dict(type='RefCOCODataset', split='val', refs_file='refs(unc).p', data_root=str(folder))
    return DATASETS.build({**defaults, **options})


def test_outlines_of_what_no_ref_points_to_are_dropped(refer_set):
    """They are most of a published file."""
    edit_refs(refer_set, lambda refs: (refs.__delitem__(slice(2, 6)), refs[0].update(ann_id=[101, 103])))
    files = read_refer_files(str(refer_set / 'instances.json'), str(refer_set / 'refs(unc).p'))
    annotations = files.annotations.whole
    assert len(annotations) == 15
    kept = {one for one, annotation in annotations.items() if 'segmentation' in annotation}
    assert kept == {101, 102, 103, *range(107, 116)}
    assert annotations[104] == dict(id=104, image_id=2)
    assert annotations[101]['bbox'] == [4, 7, 10, 10]


def test_refs_of_no_target_have_no_annotation_in_any_convention(refer_set):
    targets = [-1, [-1], [], '-1', [-1.0], [101], 101, [101, 102]]
    edit_refs(refer_set, lambda refs: [ref.update(ann_id=one) for ref, one in zip(refs, targets)])
    files = read_refer_files(str(refer_set / 'instances.json'), str(refer_set / 'refs(unc).p'))
    assert [ref['ann_id'] for ref in files.refs[:8]] == [[], [], [], [], [], [101], 101, [101, 102]]


@pytest.mark.parametrize('wanted, there, called', [
    ('validation', 'val', 'val'), ('val', 'validation', 'validation'), ('testa', 'testA', 'testA'),
    ('Train', 'train', 'train')])
def test_a_split_of_another_spelling(refer_set, wanted, there, called):
    edit_refs(refer_set, lambda refs: [ref.update(split=there) for ref in refs])
    message = f"split '{wanted}' is not in .*Splits there: {there}. It is called '{called}' here.$"
    with pytest.raises(ValueError, match=message):
        build(refer_set, split=wanted)
    with pytest.raises(ValueError, match=f'Splits there: {there}.$'):
        build(refer_set, split='night')


class TestImagesWithoutSize:

    @staticmethod
    def without_size(folder):
        edit_instances(folder, lambda content: [
            one.pop(side) for one in content['images'] for side in ('height', 'width')])

    def test_it_is_read_from_the_file(self, refer_set):
        wanted = [build(refer_set).get_data_info(index) for index in range(5)]
        self.without_size(refer_set)
        assert [build(refer_set).get_data_info(index) for index in range(5)] == wanted
        assert wanted[0]['height'] == 43 and wanted[0]['width'] == 62

    @pytest.mark.parametrize('damage, message', [
        (lambda path: path.unlink(), r'00002.jpg, the image of ref 4 .*, is missing. Set data_prefix.img_path to'),
        (lambda path: path.write_bytes(path.read_bytes()[:20]), r'00002.jpg is not an image that Pillow reads.*again'),
        (lambda path: path.write_bytes(b''), r'00002.jpg is not an image that Pillow reads. .*Fetch it again'),
    ])
    def test_a_missing_or_truncated_file(self, refer_set, damage, message):
        self.without_size(refer_set)
        damage(refer_set / 'images' / 'COCO_train2014_000000000002.jpg')
        with pytest.raises((ValueError, OSError), match=message):
            build(refer_set)
        assert build(refer_set, bad_data='skip').num_expressions == 12

    @pytest.mark.parametrize('read', [read_image_size, read_image_header])
    def test_a_file_of_no_image_format(self, tmp_path, read):
        path = tmp_path / 'a.jpg'
        path.write_text('no image')
        with pytest.raises(ValueError) as error:
            read(str(path))
        assert str(error.value) == f'{path} is not an image that Pillow reads. Fetch it again, or convert it to JPEG ' \
            'or PNG.'

    def test_a_file_that_ends_behind_its_size(self, refer_set):
        """The size is there, the pixels are not: found when the image is decoded."""
        self.without_size(refer_set)
        path = refer_set / 'images' / 'COCO_train2014_000000000002.jpg'
        path.write_bytes(path.read_bytes()[:-400])
        assert build(refer_set).num_expressions == 15
        assert build(refer_set, bad_data='skip').num_expressions == 12


def test_the_same_entry_twice_is_no_problem_but_two_of_one_id_are(refer_set):
    edit_instances(refer_set, lambda content: content['annotations'].append(content['annotations'][0]))
    assert build(refer_set).num_expressions == 15
    edit_instances(refer_set, lambda content: content['annotations'].append(
        dict(content['annotations'][0], image_id=2)))
    with pytest.raises(ValueError, match='two different entries of `annotations` have id 101. Give one another id'):
        build(refer_set)


def test_the_collector_is_paused_only_while_reading(refer_set):
    assert gc.isenabled()
    with pytest.raises(RuntimeError), gc_paused():
        assert not gc.isenabled()
        with gc_paused():
            pass
        assert not gc.isenabled()
        raise RuntimeError
    assert gc.isenabled()
    with pytest.raises(ValueError):
        build(refer_set, split='none')
    assert gc.isenabled()


def test_process_memory_sees_what_is_taken():
    before = process_memory()
    # Not from the heap, which may have as much to give without growing.
    taken = mmap.mmap(-1, 20 * 2**20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for page in range(0, len(taken), mmap.PAGESIZE):
        taken[page] = 1
    after = process_memory()
    for kind in ('resident', 'private'):
        assert 18 < after[kind] - before[kind] < 24
    assert after['peak'] >= after['resident'] - 1


def test_markdown_table():
    assert markdown_table(['split', 'refs'], [['train', 42404], ['val', 0.5]]).splitlines() == [
        '| split |   refs |',
        '|-------|-------:|',
        '| train | 42,404 |',
        '| val   |   0.50 |',
    ]
