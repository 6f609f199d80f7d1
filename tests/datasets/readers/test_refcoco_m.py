"""RefCOCO-M: an image a row, with masks and sentences of its own."""

import pyarrow
import pytest

from mmris.datasets.readers.opening import ParquetTable
from mmris.datasets.refer_files import read_refer_files
from tests.datasets.readers.parquet_forms import (
    IMAGE,
    NUMBER,
    TEXT,
    TEXTS,
    assert_whole,
    edit_table,
    make_varied_set,
    to_rle,
    write_table,
)
from tests.datasets.readers.shaperef_forms import ReferSet, assert_same_samples, read_samples

SAMPLE = pyarrow.struct(dict(
    id=NUMBER, image_id=NUMBER, category=TEXT, supercategory=TEXT, label=TEXT, sentences=TEXTS,
    bbox=pyarrow.list_(pyarrow.float32()),
    mask=pyarrow.struct(dict(counts=TEXT, size=pyarrow.list_(pyarrow.int32())))))
SCHEMA = dict(image=IMAGE, image_id=NUMBER, file_name=TEXT, samples=pyarrow.list_(SAMPLE))
FIRST = 'data/validation-00000-of-00002.parquet'


@pytest.fixture(scope='module')
def refer_folder(tmp_path_factory):
    return make_varied_set(tmp_path_factory.mktemp('set'))


@pytest.fixture
def folder(refer_folder, tmp_path):
    """``moondream/refcoco-m``: two files of the validation split."""
    refer_set = ReferSet(refer_folder)
    rows = {}
    for ref in refer_set.of_split('val'):
        image, annotation = refer_set.images[ref['image_id']], refer_set.annotations[ref['ann_id']]
        row = rows.setdefault(image['id'], dict(
            image=dict(bytes=b'not read', path=None), image_id=image['id'], file_name=image['file_name'], samples=[]))
        row['samples'].append(dict(
            id=annotation['id'], image_id=image['id'], category='star', supercategory='shape', label='star',
            sentences=[one['sent'] for one in ref['sentences']], bbox=annotation['bbox'],
            mask=to_rle(annotation, image)))
    rows = list(rows.values())
    write_table(tmp_path / FIRST, rows[::2], SCHEMA)
    write_table(tmp_path / 'data/validation-00001-of-00002.parquet', rows[1::2], SCHEMA)
    return tmp_path


def test_it_gives_the_samples_of_the_refer_files(refer_folder, folder, monkeypatch):
    read, rows = [], ParquetTable.rows
    monkeypatch.setattr(ParquetTable, 'rows', lambda table, columns: read.append(columns) or rows(table, columns))
    assert_same_samples(refer_folder, folder, splits=['val'], ann_file='none')
    # Images are most of a file.
    assert read == [['image_id', 'file_name', 'samples']] * 2


def test_it_passes_the_check_and_masks_fill_their_boxes(refer_folder, folder):
    assert_whole(folder, refer_folder / 'images')


def test_ids_are_its_own_and_sentences_are_told_apart(refer_folder, folder):
    files = read_refer_files('none', str(folder))
    wanted = sorted(ref['ann_id'] for ref in ReferSet(refer_folder).of_split('val'))
    assert sorted(ref['ref_id'] for ref in files.refs) == sorted(ref['ann_id'] for ref in files.refs) == wanted
    assert files.splits == ['val']
    ids = [one['sent_id'] for ref in files.refs for one in ref['sentences']]
    assert len(set(ids)) == len(ids) == sum(len(ref['sentences']) for ref in ReferSet(refer_folder).of_split('val'))
    # Of the size that masks tell: no image file has to be opened for it.
    assert all(image['height'] and image['width'] for image in files.images.whole.values())


@pytest.mark.parametrize('change, message', [
    (dict(mask=None), 'The mask of ref .* is malformed: a segmentation is a list of polygons or an RLE dict, but this '
     'is None'),
    (dict(mask=dict(counts='11', size=[3, 3])), 'The mask of ref .* is malformed: its size is 3 x 3, the image\'s'),
    (dict(sentences=None), 'has no sentence. Add one, or remove the ref'),
    (dict(id=None), 'sample 1 in row 0 has ref_id=None, but ids are whole numbers or text'),
    (None, 'sample 1 in row 0 lacks ref_id, ann_id'),
])
def test_a_broken_sample_is_named(refer_folder, folder, change, message):

    def edit(rows):
        # Of an image with two objects.
        samples = rows[0]['samples']
        samples[1:] = [change and dict(samples[1], **change)]

    edit_table(folder / FIRST, edit)
    with pytest.raises(ValueError, match=message):
        read_samples('val', folder, image_folder=refer_folder / 'images', ann_file='none')


def test_a_file_without_the_column_of_ids_is_refused(refer_folder, folder):
    edit_table(folder / 'data/validation-00001-of-00002.parquet', lambda rows: None,
               pyarrow.schema({key: one for key, one in SCHEMA.items() if key != 'image_id'}))
    with pytest.raises(ValueError, match='00001-of-00002.parquet is of another form than .*00000-of-00002.parquet: it '
                       'needs the columns image_id, file_name, samples, but it has the columns image, file_name, '
                       'samples'):
        read_samples('val', folder, image_folder=refer_folder / 'images', ann_file='none')
