"""The Parquet files of RefCOCO-M (moondream/refcoco-m): the validation split of RefCOCO with finer masks."""

from typing import Any, List

from .columns import has_columns, open_table, size_of_mask
from .content import Content, RawRef
from .form import Form
from .source import Source

_COLUMNS = ('image_id', 'file_name', 'samples')


def _recognise(value: Any) -> bool:
    return has_columns(value, *_COLUMNS)


def _read(source: Source) -> Content:
    refs: List[RawRef] = []
    images, annotations = [], []
    for file in source.files:
        # Each row has the image itself too, in a column that is not read: the file is in COCO's train2014.
        for number, row in enumerate(open_table(file, source, _COLUMNS).rows(list(_COLUMNS))):
            samples = row['samples'] if isinstance(row['samples'], list) else [row['samples']]
            image = dict(id=row['image_id'], file_name=row['file_name'])
            for position, sample in enumerate(samples):
                place = f'sample {position} in row {number}'
                if not isinstance(sample, dict):
                    refs.append(RawRef(file.path, place, sample))
                    continue
                image = dict(size_of_mask(sample.get('mask')), **image) if 'height' not in image else image
                annotations.append(_annotation(sample, row['image_id']))
                refs.append(RawRef(file.path, place, _ref(sample, row['image_id'], file.split or 'val')))
            images.append(image)
    return Content(refs, dict(images=images, annotations=annotations))


def _annotation(sample: dict, image_id: Any) -> dict:
    return dict(id=sample.get('id'), image_id=image_id, segmentation=sample.get('mask'), bbox=sample.get('bbox'))


def _ref(sample: dict, image_id: Any, split: str) -> dict:
    texts = sample.get('sentences')
    # They are strings without ids.
    one = sample.get('id')
    sentences = [dict(sent_id=f'{one}-{number}', sent=text) for number, text in enumerate(texts)] \
        if isinstance(texts, list) else texts
    return dict(ref_id=one, ann_id=one, image_id=image_id, split=split, sentences=sentences)


REFCOCO_M = Form(
    name='refcoco-m',
    title="RefCOCO-M's Parquet (refcoco-m/data/validation-00000-of-00002.parquet)",
    recognise=_recognise,
    read=_read,
    own_masks=True)
