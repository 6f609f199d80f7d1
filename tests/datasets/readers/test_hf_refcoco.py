"""jxu124's Parquet files: a ref a row, and an image a row."""

import json

import pyarrow
import pytest
from pyarrow import parquet

from mmris.datasets.readers.opening import ParquetTable
from mmris.datasets.refer_files import read_refer_files
from tests.datasets.readers.parquet_forms import (
    FILE_SPLITS,
    IMAGE,
    NUMBER,
    NUMBERS,
    OF_REFS,
    REAL,
    REALS,
    SENTENCES,
    TEXT,
    TEXTS,
    assert_whole,
    edit_table,
    make_varied_set,
    row_of_ref,
    write_refs,
    write_table,
)
from tests.datasets.readers.shaperef_forms import ReferSet, assert_same_samples, read_samples

VAL = 'data/validation-00000-of-00001-82af0c1b600890ac.parquet'


@pytest.fixture(scope='module')
def refer_folder(tmp_path_factory):
    return make_varied_set(tmp_path_factory.mktemp('set'))


@pytest.fixture
def hf_folder(refer_folder, tmp_path):
    return write_refs(refer_folder, tmp_path / 'refcoco')


def read_val(path, refer_folder, **settings):
    return read_samples('val', path, image_folder=refer_folder / 'images', ann_file='none', **settings)


def test_refs_give_the_samples_of_the_refer_files(refer_folder, hf_folder):
    assert_same_samples(refer_folder, hf_folder, ann_file='none')
    assert_same_samples(refer_folder, hf_folder, splits=['val'], ann_file='none', text_field='raw')


def test_refs_pass_the_check_and_masks_fill_their_boxes(refer_folder, hf_folder):
    """The box of the row itself is left, top, right, bottom."""
    assert_whole(hf_folder, refer_folder / 'images')


def test_refs_keep_the_ids_and_names_of_the_refer_files(refer_folder, hf_folder):
    kept = ('ref_id', 'ann_id', 'image_id', 'split', 'file_name', 'category_id')
    found = read_refer_files('none', str(hf_folder), split='testA')
    wanted = ReferSet(refer_folder).of_split('testA')
    assert [[ref[key] for key in kept] for ref in found.refs] == [[ref[key] for key in kept] for ref in wanted]
    assert [[one['sent_id'] for one in ref['sentences']] for ref in found.refs] == [ref['sent_ids'] for ref in wanted]


def test_files_of_other_splits_are_not_opened(refer_folder, hf_folder):
    """HF's ``test`` holds testA, so it is opened for testB as well."""
    (hf_folder / 'data' / 'train-00000-of-00001-82af0c1b600890ac.parquet').write_bytes(b'PAR1 cut')
    assert_same_samples(refer_folder, hf_folder, ann_file='none', splits=['testB'])
    with pytest.raises(ValueError, match=r'train-.*\.parquet is not a whole Parquet file .*Download it again\.'):
        read_samples('train', hf_folder, image_folder=refer_folder / 'images', ann_file='none')


def test_an_older_revision_has_other_columns(refer_folder, tmp_path):
    refer_set = ReferSet(refer_folder)
    schema = dict(
        sent_ids=NUMBERS, file_name=TEXT, ann_id=NUMBER, ref_id=NUMBER, image_id=NUMBER, split=TEXT, sentences=TEXT,
        category_id=NUMBER, texts=TEXTS, image_info=TEXT, image_path=TEXT, anns=TEXT, bbox=REALS, global_image_id=TEXT)
    for split, name in FILE_SPLITS.items():
        rows = [row_of_ref(ref, refer_set) for ref in refer_set.of_split(split)]
        rows = [dict(row, sentences=row['raw_sentences'], texts=row['captions'], image_info=row['raw_image_info'],
                     anns=row['raw_anns']) for row in rows]
        write_table(tmp_path / 'data' / f'{name}-00000-of-00001.parquet', rows, schema)
    assert_same_samples(refer_folder, tmp_path, splits=['train', 'testA'], ann_file='none', text_field='raw')


def test_several_targets_are_united_and_an_empty_list_is_no_target(refer_folder, hf_folder):
    refer_set = ReferSet(refer_folder)
    by_image = {}
    for ref in refer_set.of_split('val'):
        by_image.setdefault(ref['image_id'], []).append(ref)
    first, second = next(refs for refs in by_image.values() if len(refs) > 1)[:2]
    pair = [refer_set.annotations[ref['ann_id']] for ref in (first, second)]

    def edit(rows):
        rows[:] = [dict(row, ann_id=[row['ann_id']]) for row in rows if row['image_id'] == first['image_id']]
        rows[0].update(ann_id=[one['id'] for one in pair], raw_anns=json.dumps(pair))
        rows[1].update(ann_id=[], raw_anns=None)

    edit_table(hf_folder / VAL, edit, pyarrow.schema(dict(OF_REFS, ann_id=NUMBERS)))
    samples = read_refer_files('none', str(hf_folder), split='val')
    assert [ref['ann_id'] for ref in samples.refs[:2]] == [[one['id'] for one in pair], []]
    (counter, ) = read_val(hf_folder, refer_folder, group_by='image').values()
    assert len(counter) == sum(len(ref['sentences']) for ref in by_image[first['image_id']])


@pytest.mark.parametrize('column, value, message', [
    ('raw_anns', '{"id": 1,', r'parquet: row 1: raw_anns is .*but the JSON text of a COCO entry is expected \(.*'
     r'Download the file again, or correct the row\.'),
    ('raw_anns', '7', 'row 1: raw_anns is \'7\', but the JSON text of a COCO entry is expected'),
    ('raw_image_info', '[', 'row 1: raw_image_info is .* but the JSON text'),
    ('raw_anns', '{"id": 999999, "image_id": 1}', 'points to annotation [0-9]+, which .* does not have'),
    ('ann_id', None, 'row 1 has ann_id=None: it names no annotation'),
    ('sentences', None, 'has no sentence'),
    ('split', None, 'row 1 has split=None, but a split is a name'),
    ('raw_image_info', '{"id": IMAGE}', 'the entry at position 1 of `images` lacks file_name'),
])
def test_a_broken_row_is_named(refer_folder, hf_folder, column, value, message):
    def edit(rows):
        # A row of an image and an object of its own.
        rows[:] = [rows[0], next(row for row in rows if row['image_id'] != rows[0]['image_id'])]
        rows[1][column] = value and value.replace('IMAGE', str(rows[1]['image_id']))

    edit_table(hf_folder / VAL, edit)
    with pytest.raises(ValueError, match=message):
        read_val(hf_folder, refer_folder)


def test_a_copy_with_parsed_columns_is_read(refer_folder, tmp_path):
    """Some copies hold structs where jxu124's own have JSON text."""
    refer_set = ReferSet(refer_folder)
    refs = [ref for ref in refer_set.of_split('train')]
    entry = pyarrow.struct(dict(id=NUMBER, image_id=NUMBER, segmentation=pyarrow.list_(REALS), bbox=REALS))
    image = pyarrow.struct(dict(id=NUMBER, file_name=TEXT, height=NUMBER, width=NUMBER))
    rows = [dict(row_of_ref(ref, refer_set), raw_anns=refer_set.annotations[ref['ann_id']],
                 raw_image_info=refer_set.images[ref['image_id']]) for ref in refs]
    write_table(tmp_path / 'train.parquet', rows, dict(OF_REFS, raw_anns=entry, raw_image_info=image))
    assert_same_samples(refer_folder, tmp_path / 'train.parquet', splits=['train'], ann_file='none')


def test_files_of_two_revisions_are_refused(refer_folder, hf_folder):
    other = hf_folder / 'data' / 'validation-00001-of-00002.parquet'
    parquet.write_table(parquet.read_table(hf_folder / VAL).drop_columns(['raw_anns']), other)
    with pytest.raises(ValueError, match=r'validation-00001-of-00002.parquet is of another form than .*validation-'
                       r'00000.*: it needs the columns ref_id, .*raw_anns.*, but it has the columns .*'
                       r'Name files of one set and one revision'):
        read_val(hf_folder, refer_folder)


OF_IMAGES = dict(
    ref_list=pyarrow.list_(pyarrow.struct(dict(
        ann_info=pyarrow.struct(dict(area=REAL, bbox=REALS, category_id=NUMBER, id=NUMBER, image_id=NUMBER,
                                     iscrowd=NUMBER, segmentation=pyarrow.list_(REALS))),
        ref_info=pyarrow.struct(dict(ann_id=NUMBER, category_id=NUMBER, file_name=TEXT, image_id=NUMBER, ref_id=NUMBER,
                                     sent_ids=NUMBERS, sentences=SENTENCES, split=TEXT))))),
    image_info=pyarrow.struct(dict(coco_url=TEXT, date_captured=TEXT, file_name=TEXT, flickr_url=TEXT, height=NUMBER,
                                   id=NUMBER, license=NUMBER, width=NUMBER)),
    image=IMAGE)


def write_benchmark(refer_folder, folder, name='refcoco_unc'):
    """Write ``jxu124/refcoco-benchmark``, whose masks are all polygons."""
    refer_set = ReferSet(refer_folder)
    for split in ('val', 'testA', 'testB'):
        rows = []
        for image_id in sorted({ref['image_id'] for ref in refer_set.of_split(split)}):
            refs = [ref for ref in refer_set.of_split(split) if ref['image_id'] == image_id]
            annotations = [refer_set.annotations[ref['ann_id']] for ref in refs]
            rows.append(dict(
                ref_list=[dict(ann_info=one, ref_info=ref) for one, ref in zip(annotations, refs)],
                image_info=refer_set.images[image_id],
                image=dict(bytes=b'not read', path=refer_set.images[image_id]['file_name'])))
        write_table(folder / 'data' / f'{name}_{split}-00000-of-00001-60999d2a63f64700.parquet', rows, OF_IMAGES)
    return folder


@pytest.fixture(scope='module')
def polygon_folder(refer_folder, tmp_path_factory):
    """The set without RLE, which this layout cannot hold."""
    folder = tmp_path_factory.mktemp('polygons')
    content = json.loads((refer_folder / 'instances.json').read_text())
    for annotation in content['annotations']:
        if isinstance(annotation['segmentation'], dict):
            left, top, width, height = annotation['bbox']
            annotation['segmentation'] = [[left, top, left + width, top, left + width, top + height, left,
                                           top + height]]
    (folder / 'instances.json').write_text(json.dumps(content))
    (folder / 'refs(unc).p').write_bytes((refer_folder / 'refs(unc).p').read_bytes())
    (folder / 'images').symlink_to(refer_folder / 'images')
    return folder


def test_the_benchmark_gives_the_samples_of_the_refer_files(polygon_folder, tmp_path, monkeypatch):
    read, rows = [], ParquetTable.rows
    monkeypatch.setattr(ParquetTable, 'rows', lambda table, columns: read.append(columns) or rows(table, columns))
    folder = write_benchmark(polygon_folder, tmp_path)
    assert_same_samples(polygon_folder, folder, splits=['val', 'testA', 'testB'], ann_file='none')
    assert_same_samples(polygon_folder, folder, splits=['val'], ann_file='none', text_field='raw')
    assert_whole(folder, polygon_folder / 'images')
    # Images are most of a file.
    assert read and all(columns == ['ref_list', 'image_info'] for columns in read)


def test_sets_of_the_benchmark_are_not_mixed(polygon_folder, tmp_path):
    write_benchmark(polygon_folder, tmp_path)
    folder = write_benchmark(polygon_folder, tmp_path, 'refcoco_plus_unc')
    with pytest.raises(ValueError, match=r'holds several sets: refcoco_plus_unc, refcoco_unc\. Name one of them by a '
                       r'pattern, such as ".*data/refcoco_plus_unc_\*\.parquet"\.'):
        read_val(folder, polygon_folder)
    assert_same_samples(polygon_folder, folder / 'data' / 'refcoco_unc_*.parquet', splits=['testA'],
                        ann_file='none')


@pytest.mark.parametrize('change, message', [
    (dict(ann_info=None), 'points to annotation [0-9]+, which .* does not have'),
    (dict(ref_info=None), 'entry 0 of ref_list in row 0 lacks ref_id, ann_id, image_id, split, sentences'),
])
def test_a_broken_entry_of_the_benchmark_is_named(polygon_folder, tmp_path, change, message):
    folder = write_benchmark(polygon_folder, tmp_path)
    path = folder / 'data' / 'refcoco_unc_val-00000-of-00001-60999d2a63f64700.parquet'

    def edit(rows):
        rows[0]['ref_list'] = [dict(rows[0]['ref_list'][0], **change)]

    edit_table(path, edit)
    with pytest.raises(ValueError, match=message):
        read_val(folder, polygon_folder)
