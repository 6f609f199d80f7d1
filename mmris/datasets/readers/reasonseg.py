"""ReasonSeg: a folder a split, with a JSON file of outlines and questions beside each image."""

import json
import os
from typing import Any, List, Optional, Tuple

import cv2
import numpy as np
from PIL import Image

from mmris.datasets.image_files import read_image_size
from mmris.images.orientation import read_orientation
from mmris.utils.finite import is_finite_number
from mmris.utils.json_files import JSON_ERRORS
from mmris.utils.run_lengths import encode_mask
from mmris.utils.text import shorten

from .content import Content, RawRef
from .form import Form, has_keys
from .opening import Folder
from .source import Source, SourceFile, stems_of_pairs

_ENCODINGS = ('utf-8-sig', 'cp1252')
_FARTHEST = 10**6


def _is_annotation(value: Any) -> bool:
    return has_keys(value, 'shapes', 'text')


def _recognise(value: Any) -> bool:
    if isinstance(value, Folder):
        return bool(stems_of_pairs(str(value.path)))
    return _is_annotation(value)


def _read(source: Source) -> Content:
    content = Content([], dict(images=[], annotations=[]))
    for file in source.files:
        if not isinstance(file.value, Folder):
            raise ValueError(f'{file.path} is the annotation of one image of ReasonSeg. Name the folder that it is in, '
                             f'or the one that has the folders train, val and test.')
        if file.split is None:
            raise ValueError(f'{file.path} has images of ReasonSeg, but its name does not tell of which split they '
                             f'are. Call the folder train, val or test.')
        for name in file.value.names:
            stem, suffix = os.path.splitext(name)
            if suffix == '.json':
                _add(content, file, stem, source.image_folder)
    return content


def _add(content: Content, file: SourceFile, stem: str, image_folder: Optional[str]) -> None:
    """Add what a JSON file says of its image."""
    path = os.path.join(file.path, f'{stem}.json')
    annotation = _read_json(path)
    if not _is_annotation(annotation):
        raise ValueError(f'{path} needs `shapes` and `text`, as ReasonSeg has them, but is {shorten(annotation)}. '
                         f'Move it to another folder, or download it again.')
    shapes = _read_shapes(path, annotation['shapes'])
    one, split, image_path = f'{file.split}-{stem}', file.split, os.path.join(file.path, f'{stem}.jpg')
    image = dict(id=one, file_name=_name_below(image_path, image_folder))
    size, masks = _read_size(image_path), {}
    if size is None:
        # Reported as a missing or broken image; nobody decodes its mask.
        masks['segmentation'] = [np.reshape(points, -1).tolist() for _, points in shapes]
    else:
        image.update(height=size[0], width=size[1])
        drawn = draw_shapes(shapes, *size)
        masks['segmentation'] = encode_mask(drawn == 1)
        if (drawn == 255).any():
            masks['ignored'] = encode_mask(drawn == 255)
    content.instances['images'].append(image)
    content.instances['annotations'].append(dict(id=one, image_id=one, **masks))
    content.refs.append(RawRef(path, stem, dict(
        ref_id=one, ann_id=one, image_id=one, split=split, sentences=_read_sentences(annotation['text'], split))))


def _read_json(path: str) -> Any:
    """Read JSON in UTF-8 or, as some of the published files are, in Windows-1252."""
    with open(path, 'rb') as file:
        content = file.read()
    error: Optional[Exception] = None
    for encoding in _ENCODINGS:
        try:
            return json.loads(content.decode(encoding))
        except UnicodeDecodeError as one:
            error = one
        except JSON_ERRORS as one:
            error = one
            break
    raise ValueError(f'{path} is not a whole JSON file in UTF-8 or Windows-1252 ({error}). Download it again.')


def _read_shapes(path: str, shapes: Any) -> List[Tuple[str, List[List[float]]]]:
    """Labels in lower case and points of the shapes that count."""
    if not isinstance(shapes, list):
        raise ValueError(f'{path} has shapes={shorten(shapes)}, but they are a list. Download it again.')
    found = []
    for position, shape in enumerate(shapes):
        if not has_keys(shape, 'label', 'points') or not isinstance(shape['label'], str) or not _are_points(
                shape['points']):
            raise ValueError(f'{path}: shape at position {position} is {shorten(shape)}, but needs a label and points '
                             f'[[x, y], ...] of pixels. Correct or remove it.')
        # A remark of the annotators, no outline.
        if shape['label'].lower() != 'flag':
            found.append((shape['label'].lower(), shape['points']))
    return found


def _are_points(points: Any) -> bool:
    return isinstance(points, list) and bool(points) and all(
        isinstance(one, list) and len(one) == 2 and all(
            is_finite_number(number) and abs(number) <= _FARTHEST for number in one) for one in points)


def draw_shapes(shapes: List[Tuple[str, List[List[float]]]], height: int, width: int) -> np.ndarray:
    """Draw the outlines of an image as ReasonSeg's evaluation does: filled, with their borders, large ones first.

    Args:
        shapes (list[tuple]): Label in lower case, and points x, y in pixels, of each.
        height (int): Height of the image in pixels.
        width (int): Width of the image in pixels.

    Returns:
        ndarray: ``(height, width)`` uint8: 1 on the target, 255 where the label says that it is to be ignored, 0
        elsewhere.
    """
    # Coordinates are cut to whole pixels, not rounded.
    outlines = [np.asarray(points, dtype=np.float64).astype(np.int32).reshape(1, -1, 2) for _, points in shapes]
    areas = np.array([int(_draw(np.zeros((height, width), np.uint8), one, 1).sum()) for one in outlines], np.uint64)
    mask = np.zeros((height, width), np.uint8)
    # Of two of one area, the later one is drawn first.
    for position in np.argsort(areas)[::-1]:
        _draw(mask, outlines[position], 255 if 'ignore' in shapes[position][0] else 1)
    return mask


def _draw(mask: np.ndarray, outline: np.ndarray, value: int) -> np.ndarray:
    cv2.polylines(mask, outline, True, value, 1)
    cv2.fillPoly(mask, outline, value)
    return mask


def _read_size(path: str) -> Optional[Tuple[int, int]]:
    """Height and width of an image as it is looked at, which is how its outlines were drawn. None: it has none."""
    try:
        height, width = read_image_size(path)
    except (OSError, ValueError):
        return None
    with Image.open(path) as image:
        return (width, height) if read_orientation(image.info) >= 5 else (height, width)


def _name_below(path: str, image_folder: Optional[str]) -> str:
    """How an image is called below the folder of images; its whole path if it is not there."""
    if image_folder is not None:
        relative = os.path.relpath(path, image_folder)
        if not relative.startswith(os.pardir):
            return relative
    return os.path.abspath(path)


def _read_sentences(text: Any, split: str) -> Any:
    if not isinstance(text, list):
        return text
    # Where models are evaluated, only the first counts.
    kept = text if split == 'train' else text[:1]
    return [dict(sent_id=number, raw=one) for number, one in enumerate(kept)]


REASONSEG = Form(
    name='reasonseg',
    title="ReasonSeg's folders (train, val, test of X.jpg and X.json)",
    recognise=_recognise,
    read=_read,
    own_masks=True)
