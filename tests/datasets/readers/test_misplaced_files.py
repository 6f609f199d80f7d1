"""Files in the wrong place, and entries that others write otherwise: what is said, or that they are read."""

import json
import pickle

import numpy as np
import pyarrow
import pytest
import torch
from PIL import Image
from pyarrow import parquet

from tests.datasets.readers.shaperef_forms import assert_same_samples, read_samples


def write_parquet_file(path):
    parquet.write_table(pyarrow.table(dict(caption=['a cup'], box=[[1, 2, 3, 4]])), path)


def write_lmdb(path):
    path.mkdir()
    (path / 'data.mdb').write_bytes(bytes(16) + b'\xde\xc0\xef\xbe' + bytes(4000))


SEQTR = dict(val=[dict(image_id=1, width=64, height=64, bbox=[1, 1, 4, 4], expressions=['a cup'],
                       mask=[[1, 1, 5, 1, 5, 5]])])


def write_image(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(path)


def write_hf_folder(path):
    (path / 'data').mkdir(parents=True)
    columns = dict.fromkeys(['ref_id', 'ann_id', 'image_id'], [1]) | dict.fromkeys(
        ['split', 'sentences', 'raw_anns', 'raw_image_info', 'raw_sentences', 'file_name'], ['{}'])
    parquet.write_table(pyarrow.table(columns), path / 'data/train-00000-of-00001.parquet')


def write_reasonseg(path):
    write_image(path / 'val/1.jpg')
    (path / 'val/1.json').write_text(json.dumps(dict(text=['a cup'], is_sentence=True, shapes=[
        dict(label='target', labels=['target'], shape_type='polygon', image_name='1.jpg', points=[[1, 1], [5, 1]],
             group_id=None, group_ids=[None], flags={})])))


def write_instances_by_split(path):
    path.mkdir()
    (path / 'instances_val.json').write_text(json.dumps(dict(images=[], annotations=[])))


CAPTIONS = dict(info={}, licenses=[], images=[dict(id=1, file_name='a.jpg', height=8, width=8)],
                annotations=[dict(image_id=1, id=7, caption='A man on a horse.')])
# By their names: how each is written, and what is said if it stands as the refs file and as the annotation file.
FILES = {
    'parquet': (write_parquet_file, 'is a Parquet file of a form that is not read. Its columns are caption, box.',
                'is not a COCO annotation file. It is a Parquet file of a form that is not read.'),
    'lmdb': (write_lmdb, 'is an LMDB, as CRIS packs sets into.*Take the files that it was made from',
             'is an LMDB, as CRIS packs sets into.*Take the files that it was made from'),
    'pth': (lambda path: torch.save([('a.jpg', [1, 2, 3, 4], 'a cup')], path),
            'is a file of torch.save, as TransVG and OneRef keep lists of boxes in.*download refcoco',
            'is not a COCO annotation file. It is a file of torch.save'),
    'own.csv': (lambda path: path.write_text('image,mask,sentence\na.jpg,a.png,a cup\n'),
                'is a CSV file with the columns image, mask and sentence. Convert it to REFER files first: mmris',
                'is not a COCO annotation file. It is a CSV file .* Convert it: mmris convert_dataset csv'),
    'other.csv': (lambda path: path.write_text('picture,outline\na.jpg,a.png\n'),
                  'Its columns are picture, outline, and image, mask and sentence are expected.*--image-column NAME',
                  'It is a CSV file with other columns'),
    'seqtr': (lambda path: path.write_text(json.dumps(SEQTR)), None,
              "It is SeqTR's dict of splits .* Name it as the refs file"),
    'mevis': (lambda path: path.write_text(json.dumps(dict(videos=dict(a=dict(expressions={}))))),
              'is a list of video expressions.* mmris segments images, not videos',
              'It is a list of video expressions.* mmris segments images, not videos'),
    'dict': (lambda path: path.write_text('{"a": 1}'),
             'holds a dict, but a refs file is a list of refs. docs/data_forms.md',
             'is not a COCO annotation file: it needs lists of `images` and `annotations`.'),
    'folder': (lambda path: path.mkdir(), 'is a folder. Name a file in it, such as refs.unc..p .* It holds nothing.',
               'It is a folder. Name a file in it'),
    'hf': (write_hf_folder, None, 'is not a COCO annotation file. It is .*jxu124.* Name it as the refs file'),
    'ReasonSeg': (write_reasonseg, None, 'is not a COCO annotation file. It is .*ReasonSeg.* Name it as the refs file'),
    'annotations': (write_instances_by_split, None, 'It is a folder. Name a file in it'),
    'captions_train2014.json': (
        lambda path: path.write_text(json.dumps(CAPTIONS)),
        "is a file of COCO's captions .*It has captions of whole images and no masks. Take a set", 'does not have'),
    'empty.json': (lambda path: path.write_text('[]'), 'is an empty list, without any sentence. Fetch or make it again',
                   'is not a COCO annotation file'),
    'note.xml': (lambda path: path.write_text('<?xml version="1.0"?><note/>'),
                 "is an XML file that is not CVAT's. Of XML files, only", "It is an XML file that is not CVAT's"),
}


@pytest.mark.parametrize('name', FILES)
def test_a_file_in_the_wrong_place_is_named(refer_folder, tmp_path, name):
    write, as_refs, as_annotations = FILES[name]
    path = tmp_path / name
    write(path)
    if as_refs is not None:
        with pytest.raises(ValueError, match=as_refs):
            read_samples('val', path, image_folder=refer_folder / 'images', ann_file=refer_folder / 'instances.json')
    with pytest.raises(ValueError, match=as_annotations):
        read_samples('val', refer_folder / 'refs(unc).p', image_folder=refer_folder / 'images', ann_file=path)


def test_the_two_files_exchanged(refer_folder):
    refs, instances = refer_folder / 'refs(unc).p', refer_folder / 'instances.json'
    with pytest.raises(ValueError, match='is a COCO annotation file without sentences. It goes to ann_file.'):
        read_samples('val', instances, image_folder=refer_folder / 'images', ann_file=refs)
    with pytest.raises(ValueError, match="It is REFER's refs file .* Name it as the refs file"):
        read_samples('val', refs, image_folder=refer_folder / 'images', ann_file=refs)


def test_a_split_by_the_name_of_others(refer_folder):
    with pytest.raises(ValueError, match="split 'validation' is not in .* It is called 'val' here."):
        read_samples('validation', 'refs(unc).p', data_root=refer_folder, image_folder='images')


def change(refer_folder, tmp_path, change_refs=lambda refs: None, change_instances=lambda instances: None):
    """Write both files, changed; what the data set takes them by."""
    refs = pickle.loads((refer_folder / 'refs(unc).p').read_bytes())
    instances = json.loads((refer_folder / 'instances.json').read_text())
    change_refs(refs)
    change_instances(instances)
    (tmp_path / 'refs.p').write_bytes(pickle.dumps(refs))
    (tmp_path / 'instances.json').write_text(json.dumps(instances))
    return dict(refs_file=tmp_path / 'refs.p', ann_file=tmp_path / 'instances.json')


def rename_as_of_2017(instances):
    for image in instances['images']:
        image['file_name'] = image['file_name'].removeprefix('COCO_train2014_')


def drop_sizes(instances):
    for image in instances['images']:
        del image['height'], image['width']


def to_numpy(refs):
    for ref in refs:
        ref.update(ref_id=np.int64(ref['ref_id']), ann_id=np.int32(ref['ann_id']))


def to_text(refs):
    for ref in refs:
        ref.update(ann_id=str(ref['ann_id']), image_id=float(ref['image_id']))


@pytest.mark.parametrize('changes', [
    dict(change_instances=rename_as_of_2017),
    dict(change_instances=drop_sizes),
    dict(change_refs=to_numpy),
    dict(change_refs=to_text),
], ids=["COCO's names of 2017", 'no size', 'numbers of NumPy', 'ids of other types'])
def test_what_others_write_otherwise_is_read(refer_folder, tmp_path, changes):
    assert_same_samples(refer_folder, **change(refer_folder, tmp_path, **changes))


def test_a_mask_beside_the_image_is_not_taken_for_no_target(refer_folder, tmp_path):
    """It decodes to nothing, as the mask of a sentence does that nothing fits."""
    from mmris.datasets import RefCOCODataset

    def move_out(instances):
        for annotation in instances['annotations']:
            annotation['segmentation'] = [[-9, -9, -2, -9, -2, -2]]

    files = {key: str(path) for key, path in change(refer_folder, tmp_path, change_instances=move_out).items()}
    settings = dict(split='val', data_prefix=dict(img_path=str(refer_folder / 'images')), **files)
    dataset = RefCOCODataset(pipeline=[dict(type='mmris.LoadMasks')], **settings)
    with pytest.raises(ValueError, match="The mask of ref .* covers no pixel. Repair or remove .* bad_data='skip'"):
        dataset[0]
    with pytest.raises(ValueError, match='No expression is left'):
        RefCOCODataset(bad_data='skip', **settings)
