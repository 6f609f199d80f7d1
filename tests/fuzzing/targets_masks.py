"""Masks as run lengths, polygons and results of a segmenter."""

import json
from functools import partial
from pathlib import Path
from typing import Iterator

import numpy as np
from pycocotools import mask as coco_mask

from mmris.datasets.instance_masks import add_instances, complete_settings, decode_instances
from mmris.datasets.masks import check_segmentation, decode_segmentation, segmentation_extent

from .mutation import mutate_json
from .target import Read, Target, WrongResultError

_HEIGHT, _WIDTH = 24, 31


def _masks() -> Iterator[np.ndarray]:
    rows, columns = np.mgrid[:_HEIGHT, :_WIDTH]
    yield ((rows - 9)**2 + (columns - 14)**2 < 40).astype(np.uint8)
    yield np.ones((_HEIGHT, _WIDTH), dtype=np.uint8)
    yield ((rows + columns) % 2).astype(np.uint8)


def _compressed(_: Path) -> Iterator[bytes]:
    for mask in _masks():
        yield coco_mask.encode(np.asfortranarray(mask))['counts']


def _uncompressed(_: Path) -> Iterator[bytes]:
    for mask in _masks():
        pixels = mask.ravel(order='F')
        changes = np.flatnonzero(np.diff(pixels)) + 1
        counts = np.diff([0, *([0] if pixels[0] else []), *changes, pixels.size]).tolist()
        yield json.dumps(dict(size=[_HEIGHT, _WIDTH], counts=counts)).encode()


def _polygons(_: Path) -> Iterator[bytes]:
    yield json.dumps([[1, 1, 20, 1, 20, 15.5, 1, 15], [5, 5, 30, 5, 30, 23]]).encode()
    yield json.dumps([[0.5, 0.5, 10, 20, 3, 7], [1, 2], dict(size=[_HEIGHT, _WIDTH], counts=[5, 7, 732])]).encode()


def _check(segmentation: object) -> None:
    """What passes the check is decoded, as pycocotools does, into a box that holds it exactly."""
    check_segmentation(segmentation, _HEIGHT, _WIDTH)
    mask = decode_segmentation(segmentation, _HEIGHT, _WIDTH)
    if mask.shape != (_HEIGHT, _WIDTH) or mask.dtype != np.uint8 or mask.max() > 1:
        raise WrongResultError('no mask of the image\'s size')
    parts = [segmentation] if isinstance(segmentation, dict) else segmentation
    rles = []
    for part in parts:
        if not isinstance(part, dict):
            rles += coco_mask.frPyObjects([list(map(float, part))], _HEIGHT, _WIDTH) if len(part) >= 6 else []
        elif isinstance(part['counts'], (list, tuple)):
            counts = [int(one) for one in part['counts']]
            rles.append(coco_mask.frPyObjects(dict(size=[_HEIGHT, _WIDTH], counts=counts), _HEIGHT, _WIDTH))
        else:
            rles.append(dict(size=[_HEIGHT, _WIDTH], counts=part['counts']))
    expected = np.zeros_like(mask)
    for rle in rles:
        expected |= coco_mask.decode(rle)
    if not np.array_equal(mask, expected):
        raise WrongResultError('another mask than pycocotools decodes')
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    box = (columns[0], rows[0], columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1) if len(rows) else None
    if segmentation_extent(segmentation, _HEIGHT, _WIDTH) != box:
        raise WrongResultError('a box that is not that of the mask')


def _prepare_compressed(_: Path) -> Read:
    return lambda content: _check(dict(size=[_HEIGHT, _WIDTH], counts=content))


def _prepare_json(_: Path) -> Read:

    def read(content: bytes) -> None:
        try:
            segmentation = json.loads(content)
        except (ValueError, RecursionError):
            # It is the reader of files that refuses such a text.
            return
        _check(segmentation)

    return read


def _prepare_results(folder: Path, problems: str) -> Read:
    images = [dict(img_id=number, img_path=f'{number}.jpg', height=_HEIGHT, width=_WIDTH) for number in (1, 2)]
    settings = complete_settings(dict(file='masks.json', problems=problems))

    def read(content: bytes) -> None:
        (folder / 'masks.json').write_bytes(content)
        for image in add_instances(images, settings, str(folder)):
            decode_instances(image['instances'], _HEIGHT, _WIDTH, name=image['img_path'])

    return read


def _results(_: Path) -> Iterator[bytes]:
    rle = coco_mask.encode(np.asfortranarray(next(_masks())))
    rle['counts'] = rle['counts'].decode()
    outlines = [[1, 1, 20, 1, 20, 15.5, 1, 15], [1, 2]]
    yield json.dumps([
        dict(image_id=1, category_id=3, score=0.9, bbox=[1, 1, 5, 5], segmentation=rle),
        dict(image_id='2', category_id=3, score=0.5, segmentation=outlines),
        dict(image_id=3, category_id=3, score=1, segmentation=outlines),
    ]).encode()


# Whatever has no path is named by whoever reads the file that it is in.
_ANY = ('', )
_MASKS = ['mmris.datasets.masks']

TARGETS = [
    Target(name='rle_compressed', readers=_MASKS, prepare=_prepare_compressed, seeds=_compressed, names=_ANY),
    Target(name='rle_counts', readers=_MASKS, prepare=_prepare_json, seeds=_uncompressed, mutate=mutate_json,
           names=_ANY),
    Target(name='polygons', readers=_MASKS, prepare=_prepare_json, seeds=_polygons, mutate=mutate_json, names=_ANY),
    Target(name='instance_masks', readers=['mmris.datasets.instance_masks'],
           prepare=partial(_prepare_results, problems='raise'), seeds=_results, mutate=mutate_json),
    Target(name='instance_masks_skip', readers=['mmris.datasets.instance_masks'],
           prepare=partial(_prepare_results, problems='skip'), seeds=_results, mutate=mutate_json),
]
