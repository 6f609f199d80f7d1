"""Parquet files and TFRecords that are refused, with what to take instead."""

import sys

import pyarrow
import pytest

from mmris.datasets.readers import read_content
from tests.datasets.readers.parquet_forms import IMAGE, NUMBER, REAL, REALS, TEXT, TEXTS, write_table

OF_QUESTIONS = dict(
    question_id=TEXT, image=IMAGE, question=TEXT, answer=TEXTS, segmentation=pyarrow.list_(pyarrow.float32()),
    bbox=pyarrow.list_(pyarrow.float32()), iscrowd=pyarrow.int8(), file_name=TEXT)
OF_REF_L4 = dict(
    id=NUMBER, caption=TEXT, bbox=REALS, bbox_area=REAL, bbox_id=TEXT, ori_category_id=TEXT, image_id=TEXT,
    height=NUMBER, width=NUMBER, file_name=TEXT, is_rewrite=pyarrow.bool_(), split=TEXT)


@pytest.mark.parametrize('name, schema, message', [
    ('data/val-00000-of-00004.parquet', OF_QUESTIONS, r"val-00000-of-00004.parquet is lmms-lab's Parquet of questions "
     r'and answers .*\. It has each mask as one flat list of numbers, .* Take jxu124/refcoco, .*download refcoco\.'),
    ('ref-l4-val.parquet', OF_REF_L4, r"ref-l4-val.parquet is Ref-L4's Parquet .*\. It has boxes and no masks\. Take a "
     r'set with masks'),
    ('train.parquet', dict(image=IMAGE, text=TEXT), r'train.parquet is a Parquet file of a form that is not read\. Its '
     r'columns are image, text\. The Parquet files that are read are those of jxu124/refcoco \(ref_id, .*raw_anns.*'
     r'Take one of these, or'),
])
def test_tables_without_right_masks_are_refused(tmp_path, name, schema, message):
    path = write_table(tmp_path / name, [], schema)
    for one in (path, tmp_path):
        with pytest.raises(ValueError, match=message):
            read_content(str(one))


def test_tfrecords_are_refused(tmp_path):
    """A folder of TensorFlow Datasets, or a file in it."""
    folder = tmp_path / 'ref_coco' / 'refcoco_unc' / '1.1.0'
    folder.mkdir(parents=True)
    (folder / 'dataset_info.json').write_text('{}')
    record = folder / 'ref_coco-train.tfrecord-00000-of-00064'
    record.write_bytes(b'\x10' + bytes(60))
    for path in (folder, record):
        with pytest.raises(ValueError, match=r'(?s)TFRecord file.*TensorFlow Datasets.*boxes and no masks\. Take '
                           r'refs\(\.\.\.\)\.p'):
            read_content(str(path))


def test_without_pyarrow_the_message_tells_how_to_get_it(tmp_path, monkeypatch):
    path = write_table(tmp_path / 'train.parquet', [], dict(text=TEXT))
    monkeypatch.setitem(sys.modules, 'pyarrow', None)
    with pytest.raises(ImportError, match=r'train.parquet is a Parquet file, which is read by pyarrow\. Install it: '
                       r'pip install "mmris\[maintained,parquet\]"\.'):
        read_content(str(path))


def test_a_pointer_of_git_lfs_is_no_table(tmp_path):
    path = tmp_path / 'train-00000-of-00001.parquet'
    path.write_text('version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 33\n')
    with pytest.raises(ValueError, match='is a Git LFS pointer, not the file that it stands for'):
        read_content(str(tmp_path))
