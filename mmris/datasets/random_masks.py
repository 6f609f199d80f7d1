"""Instance masks for sets of random outlines: to measure with, not to learn from."""

import json
from pathlib import Path
from typing import Union

from pycocotools import mask as coco_mask

FILE = 'instance_masks.json'
# About as many as a segmenter is sure of on an image of COCO.
MASKS_PER_IMAGE = 8


def write_random_masks(folder: Union[str, Path]) -> str:
    """Write ``instance_masks.json``, a COCO results file, for a set of :func:`~.random_set.write_random_set`.

    Each image has eight masks, which are outlines of the set's objects in turn, of whatever image.

    Args:
        folder (str or Path): The set's.

    Returns:
        str: The file, below the folder.
    """
    folder = Path(folder)
    content = json.loads((folder / 'instances.json').read_text(encoding='utf-8'))
    results, outlined = [], content['annotations']
    for image in content['images']:
        for _ in range(MASKS_PER_IMAGE):
            polygons = outlined[len(results) % len(outlined)]['segmentation']
            whole = coco_mask.merge(coco_mask.frPyObjects(polygons, image['height'], image['width']))
            segmentation = dict(size=whole['size'], counts=whole['counts'].decode())
            results.append(dict(image_id=image['id'], category_id=1, score=0.9, segmentation=segmentation))
    (folder / FILE).write_text(json.dumps(results), encoding='utf-8')
    return FILE
