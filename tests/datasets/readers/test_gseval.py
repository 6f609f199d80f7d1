"""GSEval: JSON Lines, a sentence with its mask each."""

import json
import shutil

import pytest

from mmris.datasets.refer_files import read_refer_files
from tests.datasets.readers.parquet_forms import assert_whole, make_varied_set, to_corners, to_rle
from tests.datasets.readers.shaperef_forms import ReferSet, read_samples

NAME = 'GroundingSuite-Eval.jsonl'


@pytest.fixture(scope='module')
def refer_folder(tmp_path_factory):
    return make_varied_set(tmp_path_factory.mktemp('set'))


def name_of_2017(image):
    return f'{image["id"]:012d}.jpg'


@pytest.fixture
def folder(refer_folder, tmp_path):
    """``hustvl/GSEval`` beside COCO's unlabeled images of 2017."""
    refer_set = ReferSet(refer_folder)
    (tmp_path / 'coco' / 'unlabeled2017').mkdir(parents=True)
    entries = []
    for ref in refer_set.of_split('val'):
        image, annotation = refer_set.images[ref['image_id']], refer_set.annotations[ref['ann_id']]
        shutil.copy(refer_folder / 'images' / image['file_name'],
                    tmp_path / 'coco' / 'unlabeled2017' / name_of_2017(image))
        for sentence in ref['sentences']:
            entries.append(dict(
                idx=len(entries), image_path=f'unlabeled2017/{name_of_2017(image)}', class_id=1, label='star',
                caption=sentence['raw'], box=to_corners(annotation['bbox']), segmentation=to_rle(annotation, image)))
    write(tmp_path, entries)
    return tmp_path


def write(folder, entries):
    (folder / NAME).write_text('\n'.join(map(json.dumps, entries)) + '\n')


def read_entries(folder):
    return [json.loads(line) for line in (folder / NAME).read_text().splitlines()]


def read_test(folder, image_folder='coco'):
    return read_samples('test', folder / NAME, image_folder=folder / image_folder, ann_file='none', text_field='raw')


@pytest.mark.parametrize('image_folder', ['coco', 'coco/unlabeled2017'])
def test_it_gives_the_samples_of_the_refer_files(refer_folder, folder, image_folder):
    wanted = read_samples('val', 'refs(unc).p', image_folder='images', data_root=refer_folder, text_field='raw')
    found = read_test(folder, image_folder)
    assert len(wanted) >= 3
    assert found == {name.replace('COCO_train2014_', ''): samples for name, samples in wanted.items()}


def test_it_passes_the_check_and_masks_fill_their_boxes(folder):
    """Boxes are left, top, right, bottom."""
    assert_whole(folder / NAME, folder / 'coco', text_field='raw')


def test_ids_are_those_of_coco_and_of_the_lines(refer_folder, folder):
    files = read_refer_files('none', str(folder / NAME))
    refs = ReferSet(refer_folder).of_split('val')
    assert set(files.images.whole) == {ref['image_id'] for ref in refs}
    assert [ref['ref_id'] for ref in files.refs] == list(range(sum(len(ref['sentences']) for ref in refs)))
    # Two sentences about one object share it.
    assert len(files.annotations.whole) == len({ref['ann_id'] for ref in refs}) < len(files.refs)
    assert files.splits == ['test']


def test_a_file_of_one_line_is_read(folder):
    write(folder, read_entries(folder)[:1])
    (counter, ) = read_test(folder).values()
    assert sum(counter.values()) == 1


@pytest.mark.parametrize('edit, message', [
    (lambda entry: entry.pop('segmentation'), 'ref 1 points to annotation 1, which has no segmentation'),
    (lambda entry: entry.pop('image_path'), 'line 2 lacks ann_id, image_id'),
    (lambda entry: entry.pop('idx'), 'line 2 lacks ref_id'),
    (lambda entry: entry.pop('caption'), r'sentence 1 is empty \(raw=None\)'),
    (lambda entry: entry.update(segmentation=dict(size=[2, 2], counts='04')), 'The mask of ref 1 .* is malformed: its '
     'size is 2 x 2'),
    (lambda entry: entry.update(image_path='unlabeled2017/000000999999.jpg'), '000000999999.jpg, the image of ref 1 .* '
     'is missing. Set data_prefix.img_path'),
])
def test_a_broken_line_is_named(folder, edit, message):
    entries = read_entries(folder)
    # The image has other lines, which tell its size.
    entries[1]['image_path'] = entries[0]['image_path']
    edit(entries[1])
    write(folder, entries)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        read_test(folder)


def test_a_truncated_file_is_no_whole_one(folder):
    path = folder / NAME
    path.write_text(path.read_text()[:-30])
    with pytest.raises(ValueError, match='is not a whole JSON file .*Fetch or make it again'):
        read_test(folder)


def test_another_file_of_the_set_is_refused(folder):
    (folder / 'GroundingSuite-Other.csv').write_text('idx,caption\n0,a dog\n')
    with pytest.raises(ValueError, match='GroundingSuite-Other.csv holds a TextTable, but lines of GSEval are '
                       'expected, each with idx, image_path, caption, segmentation. Name GroundingSuite-Eval.jsonl'):
        read_samples('test', folder / 'Grounding*', image_folder=folder / 'coco', ann_file='none')


@pytest.mark.parametrize('corner', [10**400, float('inf'), float('nan'), True, None])
def test_a_box_that_is_none_is_left_out(folder, corner):
    entries = read_entries(folder)
    entries[1]['box'] = [0.5, 1, corner, 20]
    write(folder, entries)
    assert sum(map(len, read_test(folder).values())) > 2
