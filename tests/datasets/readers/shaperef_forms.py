"""A ShapeRef to write in each form, and samples to compare."""

import gc
import json
import pickle
from collections import Counter
from pathlib import Path
from typing import Any, Dict, Optional

from mmengine.registry import init_default_scope
from pycocotools import mask as coco_mask

from mmris.datasets import RefCOCODataset
from mmris.datasets.masks import union_of_segmentations
from mmris.datasets.shaperef import write_shaperef

# A data set collects garbage when it is made, which would search all modules that were imported: half a second each.
gc.freeze()

SPLITS = ('train', 'val', 'testA', 'testB')


def make_shaperef(folder: Path) -> Path:
    """Write the REFER files of a few scenes of each split to ``folder / 'refer'``."""
    write_shaperef(folder / 'refer', counts=dict(train=6, val=4, testA=3, testB=3), processes=1)
    return folder / 'refer'


class ReferSet:
    """The REFER files of a set, as their readers of other projects see them.

    Attributes:
        refs (list[dict]): As in ``refs(unc).p``.
        images, annotations (dict[int, dict]): Entries of ``instances.json`` by id.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.refs = pickle.loads((folder / 'refs(unc).p').read_bytes())
        instances = json.loads((folder / 'instances.json').read_text())
        self.images = {one['id']: one for one in instances['images']}
        self.annotations = {one['id']: one for one in instances['annotations']}
        self.categories = instances['categories']

    def of_split(self, split: str) -> list:
        """The refs of a split."""
        return [ref for ref in self.refs if ref['split'] == split]


def read_samples(split: str, refs_file: Any, *, image_folder: Any, ann_file: Any = 'instances.json',
                 text_field: str = 'sent', data_root: Any = '', **settings: Any) -> Dict[str, Counter]:
    """Read a split by the data set.

    Returns:
        dict[str, Counter]: By the name of an image file how often each (sentence, mask) is there; the mask as the bytes
        of a compressed RLE with its size.
    """
    init_default_scope('mmris')
    dataset = RefCOCODataset(
        split=split, refs_file=str(refs_file), ann_file=str(ann_file), data_root=str(data_root),
        data_prefix=dict(img_path=str(image_folder)), text_field=text_field, test_mode=True,
        # Serialising collects all garbage of the process, which takes longer than everything else.
        serialize_data=False, **settings)
    found: Dict[str, Counter] = {}
    for index in range(len(dataset)):
        sample = dataset.get_data_info(index)
        height, width = sample['height'], sample['width']
        masks = [union_of_segmentations(one, height, width) for one in sample['objects']]
        rles = [(height, width, coco_mask.encode(mask.copy(order='F'))['counts']) for mask in masks]
        counter = found.setdefault(Path(sample['img_path']).name, Counter())
        counter.update((text, rles[target]) for text, target in zip(sample['text'], sample['targets']))
    return found


def assert_same_samples(refer_folder: Path, refs_file: Any, *, splits: Any = SPLITS, ann_file: Any = 'instances.json',
                        image_folder: Optional[Any] = None, text_field: str = 'sent', **settings: Any) -> None:
    """Check that files of another form give the samples of the REFER files, for all splits."""
    for split in splits:
        wanted = read_samples(
            split, 'refs(unc).p', image_folder='images', data_root=refer_folder, text_field=text_field)
        found = read_samples(
            split, refs_file, image_folder=image_folder or refer_folder / 'images', ann_file=ann_file,
            text_field=text_field, **settings)
        assert len(wanted) >= 3 and sum(map(len, wanted.values())) >= 6
        assert found == wanted, split
