"""CVAT's XML of images: polygons and masks, with the sentence in an attribute."""

from typing import Any, Iterator, List, NamedTuple, Optional, Sequence, Set
from xml.etree.ElementTree import Element

import numpy as np

from mmris.datasets.masks import max_image_pixels
from mmris.utils.ids import read_whole_number
from mmris.utils.run_lengths import encode_mask
from mmris.utils.text import shorten

from .content import Content
from .form import Form
from .options import SPLIT_OPTIONS, choose_text_key, read_flag
from .own_images import Turn, find_turn
from .own_set import OwnSet, split_lines
from .own_splits import read_split
from .source import Source

_SHAPES = ('polygon', 'mask')
_OTHER_SHAPES = ('box', 'polyline', 'points', 'ellipse', 'cuboid', 'skeleton', 'tag')


class _Shape(NamedTuple):
    """A shape on an image.

    Attributes:
        path, entry (str): The file, and the shape in it, for messages.
        image, element (Element): The image and the shape.
    """

    path: str
    entry: str
    image: Element
    element: Element

    @property
    def where(self) -> str:
        return f'{self.path}: {self.entry}'


def _recognise(value: Any) -> bool:
    return isinstance(value, Element) and value.tag == 'annotations'


def _read(source: Source) -> Content:
    own = OwnSet(source)
    upright = read_flag(source.options, 'upright')
    shapes: List[_Shape] = []
    fields: Set[str] = set()
    for file in source.files:
        of_file = list(_shapes(file.path, file.value))
        shapes += of_file
        fields |= _text_attributes(file.value, of_file)
    text_key = choose_text_key(source.path, source.options, fields, 'attributes of text',
                               'Give the labels of the task an attribute of type Text, and write the sentences there.')
    for shape in shapes:
        _add(shape, text_key, own, True if upright is None else upright)
    return own.content()


def _shapes(path: str, root: Any) -> Iterator[_Shape]:
    if not _recognise(root):
        raise ValueError(f'{path} is not an XML file of CVAT, which begins with <annotations>. Export the task as '
                         f'"CVAT for images 1.1", and name annotations.xml.')
    if root.find('track') is not None:
        raise ValueError(f'{path} is an export of a video (it has <track>). Export the task as "CVAT for images 1.1".')
    for image in root.iterfind('image'):
        name = image.get('name')
        if not name:
            raise ValueError(f'{path}: the image of id {shorten(image.get("id"))} has no name. Export the task again.')
        for number, element in enumerate(image):
            yield _Shape(path, f'<{element.tag}> {number} of image {name}', image, element)


def _text_attributes(root: Element, shapes: Sequence[_Shape]) -> Set[str]:
    """Names of the attributes that people type text into; where the file does not say it, of all attributes."""
    types = {
        attribute.findtext('name'): attribute.findtext('input_type')
        for attribute in root.iterfind('meta//labels/label/attributes/attribute')
    }
    used = {
        attribute.get('name')
        for shape in shapes if shape.element.tag in _SHAPES for attribute in shape.element.iterfind('attribute[@name]')
    }
    # Attributes of labels that only boxes and tags have are none of a mask.
    return {name for name in used if types.get(name, 'text') == 'text'}


def _add(shape: _Shape, text_key: str, own: OwnSet, upright: bool) -> None:
    path, entry, element = shape.path, shape.entry, shape.element
    if element.tag not in _SHAPES:
        kind = element.tag if element.tag in _OTHER_SHAPES else 'unknown shape'
        own.leave_out(kind, entry, path, 'is no mask: draw the object as a polygon or a mask')
        return
    sentences = [
        line for attribute in element.iterfind('attribute') if attribute.get('name') == text_key
        for line in split_lines(attribute.text)
    ]
    if not sentences:
        own.leave_out('shape without a sentence', entry, path, f'has no text in the attribute {shorten(text_key)}')
        return
    image = own.find_image([shape.image.get('name')], entry, path)
    if image is None:
        return
    height, width = _read_numbers(shape, shape.image, ('height', 'width'))
    if min(height, width) <= 0 or height * width > max_image_pixels():
        raise ValueError(f'{shape.where} is on an image of {height} x {width} pixels (height x width). Export the task '
                         f'again.')
    turn = find_turn(own.images.header(image), height, width, upright=upright, where=shape.where)
    segmentation = _polygon(shape, turn) if element.tag == 'polygon' else _mask(shape, turn, height, width)
    if segmentation is None:
        own.leave_out('empty mask', entry, path, 'covers no pixel')
        return
    target = own.add_annotation(image, segmentation, element.get('label') or 'object')
    own.add_ref(image, target, sentences, path=path, place=entry, split=read_split(shape.image.get('subset')))


def _read_numbers(shape: _Shape, element: Element, names: Sequence[str]) -> List[int]:
    numbers = [_read_number(element.get(name)) for name in names]
    if None in numbers:
        given = ', '.join(f'{name} {shorten(element.get(name))}' for name in names)
        raise ValueError(f'{shape.where}: <{element.tag}> has {given}, but whole numbers are expected. Export the task '
                         f'again.')
    return numbers


def _read_number(text: Optional[str]) -> Optional[int]:
    try:
        return read_whole_number(float(text or ''))
    except ValueError:
        return None


def _polygon(shape: _Shape, turn: Turn) -> List[List[float]]:
    text = shape.element.get('points') or ''
    try:
        pairs = [tuple(map(float, point.split(','))) for point in text.split(';')]
    except ValueError:
        pairs = [()]
    if any(len(pair) != 2 for pair in pairs):
        raise ValueError(f'{shape.where} has the points {shorten(text)}, but pairs of pixels as in '
                         f'"10.5,20;30,20;30,40" are expected. Export the task again.')
    return [turn.turn_polygon([number for pair in pairs for number in pair])]


def _mask(shape: _Shape, turn: Turn, height: int, width: int) -> Optional[dict]:
    left, top, box_width, box_height = _read_numbers(shape, shape.element, ('left', 'top', 'width', 'height'))
    text = shape.element.get('rle') or ''
    try:
        runs = [int(run) for run in text.split(',')]
    except ValueError:
        runs = [-1]
    if min(left, top) < 0 or left + box_width > width or top + box_height > height or min(box_width, box_height) < 1:
        raise ValueError(f'{shape.where} has a mask at left {left}, top {top} of {box_height} x {box_width} pixels '
                         f'(height x width), which is not on its image of {height} x {width}. Export the task again.')
    if min(runs) < 0 or sum(runs) != box_width * box_height:
        raise ValueError(f'{shape.where} has rle {shorten(text)}, but runs of background and object are expected that '
                         f'fill its box of {box_height} x {box_width} pixels (height x width). Export the task again.')
    mask = np.zeros((height, width), dtype=np.uint8)
    # Runs go row by row through the box, and the first one is of background.
    inside = np.repeat(np.arange(len(runs)) % 2, runs).reshape(box_height, box_width)
    mask[top:top + box_height, left:left + box_width] = inside
    return encode_mask(turn.turn_mask(mask)) if inside.any() else None


CVAT = Form(
    name='cvat',
    title="CVAT's XML (annotations.xml of a CVAT for images export)",
    recognise=_recognise,
    read=_read,
    own_masks=True,
    convert_only=True,
    options=('text_key', 'upright', *SPLIT_OPTIONS))
