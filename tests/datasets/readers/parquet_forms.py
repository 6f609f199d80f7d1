"""A ShapeRef in the layouts of sets on Hugging Face, and what every such set has to pass."""

import json
import pickle
from pathlib import Path
from typing import Any, Dict, List, Optional

import numpy as np
import pyarrow
from pyarrow import parquet
from pycocotools import mask as coco_mask

from mmris.datasets.masks import decode_segmentation
from mmris.datasets.refer_files import read_refer_files
from mmris.datasets.set_check import check_set, format_report
from tests.datasets.readers.shaperef_forms import ReferSet, make_shaperef

TEXT, NUMBER, REAL = pyarrow.string(), pyarrow.int64(), pyarrow.float64()
TEXTS, NUMBERS, REALS = (pyarrow.list_(one) for one in (TEXT, NUMBER, REAL))
SENTENCES = pyarrow.list_(pyarrow.struct(dict(raw=TEXT, sent=TEXT, sent_id=NUMBER, tokens=TEXTS)))
IMAGE = pyarrow.struct(dict(bytes=pyarrow.binary(), path=TEXT))
# As Hugging Face names files of RefCOCO's splits.
FILE_SPLITS = dict(train='train', val='validation', testA='test', testB='testB')


def make_varied_set(folder: Path) -> Path:
    """Write a ShapeRef with sentences in two versions, an RLE, and polygons that overlap."""
    folder = make_shaperef(folder)
    refs, instances = pickle.loads((folder / 'refs(unc).p').read_bytes()), folder / 'instances.json'
    for ref in refs:
        for sentence in ref['sentences']:
            sentence['raw'] = f'{sentence["sent"].capitalize()} !'
    (folder / 'refs(unc).p').write_bytes(pickle.dumps(refs, protocol=2))
    content = json.loads(instances.read_text())
    targets = {ref['ann_id'] for ref in refs if ref['split'] in ('val', 'testA', 'testB')}
    wanted = [one for one in content['annotations'] if one['id'] in targets]
    images = {one['id']: one for one in content['images']}
    for annotation in wanted[::3]:
        annotation['segmentation'] = to_rle(annotation, images[annotation['image_id']])
    left, top, width, height = wanted[1]['bbox']
    # Added up where they overlap, two of two are none.
    wanted[1]['segmentation'] = [rectangle(left, top, width, 3), rectangle(left, top, 3, height)]
    instances.write_text(json.dumps(content))
    return folder


def rectangle(left: float, top: float, width: float, height: float) -> List[float]:
    """A polygon."""
    return [left, top, left + width, top, left + width, top + height, left, top + height]


def to_rle(annotation: dict, image: dict) -> Dict[str, Any]:
    """The mask of an annotation as a compressed RLE of text."""
    mask = decode_segmentation(annotation['segmentation'], image['height'], image['width'])
    rle = coco_mask.encode(np.asfortranarray(mask))
    return dict(size=[image['height'], image['width']], counts=rle['counts'].decode('ascii'))


def to_corners(box: List[float]) -> List[float]:
    """A box by its corners."""
    left, top, width, height = map(float, box)
    return [left, top, left + width, top + height]


def write_table(path: Path, rows: List[dict], schema: Dict[str, Any]) -> Path:
    """Write a Parquet file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.Table.from_pylist(rows, pyarrow.schema(schema)), path)
    return path


OF_REFS = dict(
    sent_ids=NUMBERS, file_name=TEXT, ann_id=NUMBER, ref_id=NUMBER, image_id=NUMBER, split=TEXT, sentences=SENTENCES,
    category_id=NUMBER, raw_anns=TEXT, raw_image_info=TEXT, raw_sentences=TEXT, image_path=TEXT, bbox=REALS,
    captions=TEXTS, global_image_id=TEXT, anns_id=TEXT)


def row_of_ref(ref: dict, refer_set: ReferSet) -> dict:
    """A row of jxu124/refcoco."""
    annotation, image = refer_set.annotations[ref['ann_id']], refer_set.images[ref['image_id']]
    sentences = [{key: one[key] for key in ('raw', 'sent', 'sent_id', 'tokens')} for one in ref['sentences']]
    return dict(
        ref,
        sentences=sentences,
        raw_anns=json.dumps(annotation),
        raw_image_info=json.dumps(dict(image, license=1, coco_url='http://mscoco.org/images/1', flickr_url='http://')),
        raw_sentences=json.dumps(sentences),
        image_path=f'coco/train2014/{image["file_name"]}',
        bbox=to_corners(annotation['bbox']),
        captions=[one['raw'] for one in sentences],
        global_image_id=f'coco.{image["id"]}',
        anns_id=f'refcoco.{annotation["id"]}')


def write_refs(refer_folder: Path, folder: Path) -> Path:
    """Write ``jxu124/refcoco``."""
    refer_set = ReferSet(refer_folder)
    for split, name in FILE_SPLITS.items():
        rows = [row_of_ref(ref, refer_set) for ref in refer_set.of_split(split)]
        write_table(folder / 'data' / f'{name}-00000-of-00001-82af0c1b600890ac.parquet', rows, OF_REFS)
    return folder


def assert_whole(refs_file: Any, image_folder: Path, *, text_field: str = 'sent', ann_file: Any = 'none') -> None:
    """Check that ``check_dataset`` finds nothing wrong, and that each mask lies in its box and fills it."""
    report = check_set(
        instances_path=str(ann_file), refs_path=str(refs_file), image_folder=str(image_folder), decode=True,
        text_field=text_field)
    assert report.is_fine, format_report(report)
    files = read_refer_files(str(ann_file), str(refs_file), image_folder=str(image_folder))
    boxes = 0
    for annotation in files.annotations.whole.values():
        image = files.images.whole[annotation['image_id']]
        mask = decode_segmentation(annotation['segmentation'], image['height'], image['width'])
        box = coco_mask.toBbox(coco_mask.encode(np.asfortranarray(mask)))
        # Boxes of 32 bits, and polygons of which one is clipped.
        assert np.allclose(box, annotation['bbox'], atol=0.01)
        boxes += 1
    assert boxes >= 3


def edit_table(path: Path, edit: Any, schema: Optional[Any] = None) -> None:
    """Rewrite a Parquet file: ``edit`` gets its rows and changes them."""
    table = parquet.read_table(path)
    rows = table.to_pylist()
    edit(rows)
    parquet.write_table(pyarrow.Table.from_pylist(rows, schema or table.schema), path)
