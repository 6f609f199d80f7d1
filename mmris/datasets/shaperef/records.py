"""One image of a ShapeRef set as it goes into the files: picture, annotations and references."""

from typing import Any, Dict, List, NamedTuple

import cv2
import numpy as np

from mmris.names import SHAPEREF_STYLES

from .annotations import annotate_mask
from .phrasing import Reference
from .references import refer_to_objects, replace_some
from .rendering import SHAPES
from .scene import SPLITS, Scene, sample_scene
from .segmenter import Findings, find_instances

CATEGORIES = [{'supercategory': 'shape', 'id': number, 'name': shape}
              for number, shape in enumerate(SHAPES, start=1)]

MAX_SPLIT_COUNT = 999_999
"""Most images a split can have: the millions of an image id name the split."""

_JPEG_QUALITY = 92

# Follows seed, split and index in the seed of a stream, far from the numbers of other streams. The style's is added.
_STREAM_OF_REPLACED = 2000


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


def make_record(seed: int, style: str, split: str, index: int, *, no_target_share: float = 0.,
                several_share: float = 0.) -> ImageRecord:
    """Make one image with two to four references of one to three sentences each.

    Args:
        seed: Seed of the whole set, >= 0.
        style: One of :data:`mmris.names.SHAPEREF_STYLES`. Neither the picture nor what is found on it depends
            on it.
        split: One of :data:`~.scene.SPLITS`.
        index: Number of the image in its split, from 0 to ``MAX_SPLIT_COUNT - 1``.
        no_target_share: Chance of a reference to fit nothing, from 0 to 1.
        several_share: Chance of a reference to fit several objects, from 0 to ``1 - no_target_share``.
            Neither share changes the other references, or anything but references.

    Returns:
        The record, which depends on nothing but the arguments.
    """
    scene = sample_scene(seed=seed, split=split, index=index)
    split_number = SPLITS.index(split)
    image_id = split_number * (MAX_SPLIT_COUNT + 1) + index + 1
    file_name = f'COCO_train2014_{image_id:012d}.jpg'
    annotations = _annotate(scene, image_id)
    # A stream of its own, so that all styles speak about the same pictures.
    generator = np.random.default_rng([seed, split_number, index, 1 + SHAPEREF_STYLES.index(style)])
    references = refer_to_objects(generator, scene, style)
    if no_target_share or several_share:
        stream = _STREAM_OF_REPLACED + SHAPEREF_STYLES.index(style)
        generator = np.random.default_rng([seed, split_number, index, stream])
        references = replace_some(generator, scene, style, references, no_target_share, several_share)
    image = {'id': image_id, 'file_name': file_name, 'height': scene.height, 'width': scene.width}
    findings = find_instances(
        seed=seed,
        split_number=split_number,
        index=index,
        image_id=image_id,
        masks=[item.mask for item in scene.objects],
        categories=[annotation['category_id'] for annotation in annotations],
        category_count=len(CATEGORIES))
    refs = [_make_ref(reference, image, annotations, split) for reference in references]
    return ImageRecord(_encode_jpeg(scene.image), image, annotations, refs, findings)


def _make_ref(reference: Reference, image: Dict[str, Any], annotations: List[Dict[str, Any]],
              split: str) -> Dict[str, Any]:
    """Write a reference as gRefCOCO does: the id of one annotation, or a list of several, or of none."""
    targets = [annotations[number] for number in reference.targets]
    is_single = len(targets) == 1
    file_name = image['file_name']
    return {
        'ref_id': None,
        'ann_id': targets[0]['id'] if is_single else [annotation['id'] for annotation in targets],
        'image_id': image['id'],
        'category_id': targets[0]['category_id'] if targets else 0,
        'split': split,
        'file_name': file_name.replace('.jpg', f"_{targets[0]['id']}.jpg") if is_single else file_name,
        'sent_ids': [],
        'sentences': [{
            'sent_id': None,
            'sent': sentence.text,
            'raw': sentence.text,
            'tokens': sentence.text.split(),
            'skills': sentence.skills,
        } for sentence in reference.sentences],
        **({} if targets else {'no_target': True}),
    }


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


def _encode_jpeg(image: np.ndarray) -> bytes:
    # OpenCV takes its channels in the order blue, green, red.
    _, encoded = cv2.imencode('.jpg', image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return encoded.tobytes()
