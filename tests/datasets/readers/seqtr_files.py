"""The ShapeRef in SeqTR's form."""

import json

from tests.datasets.readers.shaperef_forms import SPLITS, ReferSet, read_samples


def to_item(refer: ReferSet, ref: dict, sentences: list, *, with_id: bool = False) -> dict:
    image, annotation = refer.images[ref['image_id']], refer.annotations[ref['ann_id']]
    item = dict(
        bbox=annotation['bbox'], mask=annotation['segmentation'], expressions=[one['sent'] for one in sentences],
        image_id=ref['image_id'], height=image['height'], width=image['width'], category_id=annotation['category_id'])
    return dict(item, id=ref['ann_id']) if with_id else item


def to_seqtr(refer: ReferSet, **options) -> dict:
    """As SeqTR's files: an item a ref in train, an item a sentence in the other splits."""
    return {
        split: [
            to_item(refer, ref, part, **options) for ref in refer.of_split(split)
            for part in ([ref['sentences']] if split == 'train' else [[one] for one in ref['sentences']])
        ]
        for split in SPLITS
    }


def write(folder, name: str, value) -> str:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
    return str(path)


def read_val(refer_folder, path, split: str = 'val', **settings):
    settings = dict(dict(ann_file='missing.json'), **settings)
    return read_samples(split, path, image_folder=refer_folder / 'images', **settings)


def count(samples) -> int:
    return sum(sum(one.values()) for one in samples.values())
