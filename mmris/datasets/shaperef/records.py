"""One image of a ShapeRef set as it goes into the files: picture, annotations and references."""

from typing import Any, Dict, List, NamedTuple

import cv2
import numpy as np

from .annotations import annotate_mask
from .phrasing import STYLES, refer
from .rendering import SHAPES
from .scene import SPLITS, Scene, sample_scene
from .segmenter import Findings, find_instances

CATEGORIES = [{'supercategory': 'shape', 'id': number, 'name': shape}
              for number, shape in enumerate(SHAPES, start=1)]

MAX_SPLIT_COUNT = 999_999
"""Most images a split can have: the millions of an image id name the split."""

_JPEG_QUALITY = 92
_MOST_REFERRED = 4
_MOST_SENTENCES = 3


class ImageRecord(NamedTuple):
    """One image and everything that is written about it.

    Attributes:
        jpeg: Bytes of the picture's file.
        image: Its entry under ``images``.
        annotations: Its entries under ``annotations``, one per object.
        refs: Its references; ``ref_id``, ``sent_ids`` and ``sent_id`` are still missing, since
            they count through the whole set.
        findings: What a segmenter finds on it.
    """

    jpeg: bytes
    image: Dict[str, Any]
    annotations: List[Dict[str, Any]]
    refs: List[Dict[str, Any]]
    findings: Findings


def make_record(seed: int, style: str, split: str, index: int) -> ImageRecord:
    """Make one image with two to four referred objects of one to three sentences each.

    Args:
        seed: Seed of the whole set, >= 0.
        style: One of :data:`~.phrasing.STYLES`. Neither the picture nor what is found on it depends
            on it.
        split: One of :data:`~.scene.SPLITS`.
        index: Number of the image in its split, from 0 to ``MAX_SPLIT_COUNT - 1``.

    Returns:
        The record, which depends on nothing but the arguments.
    """
    scene = sample_scene(seed=seed, split=split, index=index)
    image_id = SPLITS.index(split) * (MAX_SPLIT_COUNT + 1) + index + 1
    file_name = f'COCO_train2014_{image_id:012d}.jpg'
    annotations = _annotate(scene, image_id)
    # A stream of its own, so that all styles speak about the same pictures.
    generator = np.random.default_rng(
        [seed, SPLITS.index(split), index, 1 + STYLES.index(style)])
    refs = []
    for number, sentences in sorted(_refer_to_several(generator, scene, style).items()):
        annotation = annotations[number]
        refs.append({
            'ref_id': None,
            'ann_id': annotation['id'],
            'image_id': image_id,
            'category_id': annotation['category_id'],
            'split': split,
            'file_name': file_name.replace('.jpg', f"_{annotation['id']}.jpg"),
            'sent_ids': [],
            'sentences': [{
                'sent_id': None,
                'sent': sentence.text,
                'raw': sentence.text,
                'tokens': sentence.text.split(),
                'skills': sentence.skills,
            } for sentence in sentences],
        })
    image = {'id': image_id, 'file_name': file_name, 'height': scene.height, 'width': scene.width}
    findings = find_instances(
        seed=seed,
        split_number=SPLITS.index(split),
        index=index,
        image_id=image_id,
        masks=[item.mask for item in scene.objects],
        categories=[annotation['category_id'] for annotation in annotations],
        category_count=len(CATEGORIES))
    return ImageRecord(_encode_jpeg(scene.image), image, annotations, refs, findings)


def _annotate(scene: Scene, image_id: int) -> List[Dict[str, Any]]:
    return [{
        'id': image_id * 10 + number,
        'image_id': image_id,
        'category_id': SHAPES.index(item.shape) + 1,
        **annotate_mask(item.mask),
        'attributes': {
            'shape': item.shape,
            'colour': item.colour,
            'size': item.size,
            'centre': list(item.centre),
        },
    } for number, item in enumerate(scene.objects)]


def _refer_to_several(generator: np.random.Generator, scene: Scene, style: str) -> Dict[int, Any]:
    """Refer to two to four objects; sentences by number of the object."""
    wanted = int(generator.integers(2, min(len(scene.objects), _MOST_REFERRED) + 1))
    referred: Dict[int, Any] = {}
    for number in generator.permutation(len(scene.objects)).tolist():
        if len(referred) == wanted:
            break
        count = int(generator.integers(1, _MOST_SENTENCES + 1))
        sentences = refer(generator, scene, number, style, count)
        if sentences:
            referred[number] = sentences
    return referred


def _encode_jpeg(image: np.ndarray) -> bytes:
    # OpenCV takes its channels in the order blue, green, red.
    _, encoded = cv2.imencode('.jpg', image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return encoded.tobytes()
