"""Sets of random outlines and words, as large as wanted: to measure with, not to learn from."""

import json
import math
import pickle
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple, Union

import cv2
import numpy as np

WORDS = ('left', 'right', 'top', 'bottom', 'man', 'woman', 'boy', 'girl', 'red', 'blue', 'white', 'shirt', 'chair',
         'elephant', 'pizza', 'bus', 'front', 'behind', 'the', 'with', 'in', 'of', 'near', 'holding')
HEIGHT, WIDTH = 480, 640
SHARED_IMAGE = 'COCO_train2014_000000000000.jpg'
# As in COCO's train2014: corners of a polygon, polygons of an object, bytes of a JPEG (150 to 250 thousand).
_POINTS, _SECOND_POLYGON, _JPEG_QUALITY = 26, 0.15, 95


def write_random_set(folder: Union[str, Path],
                     *,
                     images: int,
                     objects: int,
                     sentences: int,
                     annotations: int,
                     pictures: bool,
                     distinct_pictures: Optional[int] = None,
                     seed: int = 0) -> Path:
    """Write ``instances.json``, ``refs(unc).p`` and ``images/`` in the published layout, all of it split ``train``.

    Outlines, lengths of sentences and sizes of images are COCO's and RefCOCO's on average; what is in them is random.

    Args:
        folder (str or Path): Where to write; made if it is not there.
        images (int): Images, of 480 x 640 pixels.
        objects (int): Objects that sentences refer to, spread over the images.
        sentences (int): Sentences, spread over the objects.
        annotations (int): Annotated objects, with those that no sentence refers to.
        pictures (bool): Draw each image (as noise of all scales). If false, all images name one empty file.
        distinct_pictures (int, optional): How many of the pictures differ; the others repeat these, which is quicker to
            write. Default: None, all.
        seed (int): Seed of everything. Defaults to 0.

    Returns:
        Path: ``folder``.

    Raises:
        ValueError: If there are fewer sentences or annotations than objects, or nothing of a kind.
    """
    if not (1 <= images and 1 <= objects <= min(sentences, annotations)):
        raise ValueError(
            f'A random set has at least one image, and as many sentences and annotations as objects or more, but got '
            f'images={images}, objects={objects}, sentences={sentences}, annotations={annotations}.')
    folder, generator = Path(folder), np.random.default_rng(seed)
    (folder / 'images').mkdir(parents=True, exist_ok=True)
    if not pictures:
        (folder / 'images' / SHARED_IMAGE).write_bytes(b'')
    entries: List[Dict[str, Any]] = []
    drawn: List[bytes] = []
    for image_id in range(1, images + 1):
        name = f'COCO_train2014_{image_id:012d}.jpg' if pictures else SHARED_IMAGE
        entries.append(dict(id=image_id, file_name=name, height=HEIGHT, width=WIDTH, license=1))
        if pictures:
            if len(drawn) < (distinct_pictures or images):
                drawn.append(_noise_jpeg(generator))
            (folder / 'images' / name).write_bytes(drawn[(image_id - 1) % len(drawn)])
    outlined = [_annotation(number, number % images + 1, generator) for number in range(annotations)]
    content = dict(images=entries, annotations=outlined, categories=[dict(id=1, name='thing')])
    (folder / 'instances.json').write_text(json.dumps(content), encoding='utf-8')
    refs = _refs(objects, sentences, images, generator)
    (folder / 'refs(unc).p').write_bytes(pickle.dumps(refs, protocol=2))
    return folder


def _annotation(number: int, image_id: int, generator: np.random.Generator) -> Dict[str, Any]:
    polygons = [_outline(generator) for _ in range(1 + (generator.random() < _SECOND_POLYGON))]
    xs, ys = ([number for one in polygons for number in one[axis::2]] for axis in (0, 1))
    box = [min(xs), min(ys), round(max(xs) - min(xs), 2), round(max(ys) - min(ys), 2)]
    return dict(
        id=number,
        image_id=image_id,
        category_id=1,
        iscrowd=0,
        bbox=box,
        area=round(box[2] * box[3] / 2, 5),
        segmentation=polygons)


def _outline(generator: np.random.Generator) -> List[float]:
    """A polygon around a random place, its number of corners widely spread as in COCO."""
    corners = int(min(max(3, generator.gamma(2.0, _POINTS / 2)), 8 * _POINTS))
    angles = np.sort(generator.random(corners)) * 2 * math.pi
    radii = generator.uniform(20, 90) * generator.uniform(0.6, 1.4, corners)
    x = np.clip(generator.uniform(0, WIDTH) + radii * np.cos(angles), 0, WIDTH)
    y = np.clip(generator.uniform(0, HEIGHT) + radii * np.sin(angles), 0, HEIGHT)
    return np.stack([x, y], axis=1).round(2).ravel().tolist()


def _refs(objects: int, sentences: int, images: int, generator: np.random.Generator) -> List[Dict[str, Any]]:
    refs: List[Dict[str, Any]] = []
    sent_id = 0
    for ref_id in range(objects):
        count = (ref_id + 1) * sentences // objects - ref_id * sentences // objects
        image_id, ids = ref_id % images + 1, list(range(sent_id, sent_id + count))
        sent_id += count
        said = [_words(generator) for _ in ids]
        refs.append(
            dict(
                ref_id=ref_id,
                ann_id=ref_id,
                image_id=image_id,
                category_id=1,
                split='train',
                file_name=f'COCO_train2014_{image_id:012d}_{ref_id}.jpg',
                sent_ids=ids,
                sentences=[
                    dict(sent_id=one, sent=' '.join(words), raw=' '.join(words), tokens=list(words))
                    for one, words in zip(ids, said)
                ]))
    return refs


def _words(generator: np.random.Generator) -> Tuple[str, ...]:
    return tuple(WORDS[place] for place in generator.integers(0, len(WORDS), 1 + generator.poisson(2.6)))


def _noise_jpeg(generator: np.random.Generator) -> bytes:
    """Noise of all scales, about as costly to decode as a photograph."""
    image = np.full((HEIGHT, WIDTH, 3), 128, dtype=np.float32)
    for scale in (1, 2, 4, 8, 16, 32, 64):
        coarse = generator.normal(0, 6 + 4 * math.log2(scale), (-(-HEIGHT // scale), -(-WIDTH // scale), 3))
        image += cv2.resize(coarse.astype(np.float32), (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
    pixels = image.clip(0, 255).astype(np.uint8)
    return cv2.imencode('.jpg', pixels, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1].tobytes()
