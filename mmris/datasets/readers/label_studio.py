"""Label Studio's JSON export: outlines and brush strokes, each with the text of its region."""

import re
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Set, Tuple
from urllib.parse import parse_qs, unquote, urlsplit

from mmris.datasets.masks import max_image_pixels
from mmris.utils.ids import read_whole_number
from mmris.utils.run_lengths import encode_mask
from mmris.utils.text import shorten

from .content import Content
from .form import Form, first_entry, has_keys
from .label_studio_brush import decode_brush
from .options import SPLIT_OPTIONS, choose_text_key, flag_of, read_flag, read_text
from .own_images import Turn, find_turn
from .own_set import OwnSet, split_lines
from .source import Source

# Of a coordinate in percent: more is nowhere near an image.
_MOST = 1e9
_IMAGE_NAME = re.compile(r'\.(?:jpe?g|png|webp|bmp|tiff?|gif)(?:$|[?#&])', re.IGNORECASE)


class _Region(NamedTuple):
    """A region of an annotation.

    Attributes:
        path, entry (str): The file, and the region in it, for messages.
        task (dict): Its task.
        shape (dict, optional): The item of its result with an outline, a brush stroke or a box; None: it has none.
        texts (dict[str, list[str]]): Its texts, by the name of the text area.
        label (str): The first of its labels.
    """

    path: str
    entry: str
    task: dict
    shape: Optional[dict]
    texts: Dict[str, List[str]]
    label: str


def _recognise(value: Any) -> bool:
    task = value if isinstance(value, dict) else first_entry(value)
    return has_keys(task, 'data', 'annotations') and isinstance(task['data'], dict)


def is_json_min(value: Any) -> bool:
    """Tell whether a value is Label Studio's JSON-MIN export, which drops the size of images and joins regions."""
    return has_keys(first_entry(value), 'annotation_id', 'annotator', 'lead_time')


def _read(source: Source) -> Content:
    own = OwnSet(source)
    upright = read_flag(source.options, 'upright')
    regions = [region for file in source.files for region in _regions(file.path, file.value, own)]
    described = [region for region in regions if region.shape is not None]
    areas: Set[str] = {name for region in described for name in region.texts}
    text_key = choose_text_key(
        source.path, source.options, areas, 'text areas of regions',
        'In the labelling interface, give each region a <TextArea> with perRegion="true", and export as JSON.')
    for region in regions:
        _add(region, text_key, own, source, True if upright is None else upright)
    return own.content()


def _regions(path: str, value: Any, own: OwnSet) -> Iterator[_Region]:
    if is_json_min(value):
        raise ValueError(f'{path} is a JSON-MIN export, which lacks what tells one region from another. Export the '
                         f'project as JSON.')
    tasks = [value] if isinstance(value, dict) else value
    if not isinstance(tasks, list):
        raise ValueError(f'{path} is not a JSON export of Label Studio, which is a list of tasks. Export the project '
                         f'as JSON, and name the file.')
    for position, task in enumerate(tasks):
        if not has_keys(task, 'data', 'annotations') or not isinstance(task['data'], dict) or \
                not isinstance(task['annotations'], list):
            raise ValueError(f'{path}: the task at position {position} lacks `data` or a list of `annotations`. Export '
                             f'the project as JSON, not as JSON-MIN or as a list of tasks to import.')
        name = f'task {task.get("id", f"at position {position}")}'
        if not task['annotations']:
            own.leave_out('task without an annotation', name, path, 'has no annotation; predictions do not count')
        for number, annotation in enumerate(task['annotations']):
            yield from _regions_of(path, name, task, annotation, number, own)


def _regions_of(path: str, task_name: str, task: dict, annotation: Any, number: int,
                own: OwnSet) -> Iterator[_Region]:
    results = annotation.get('result') if isinstance(annotation, dict) else None
    if not isinstance(results, list):
        raise ValueError(f'{path}: the annotation at position {number} of {task_name} lacks a list `result`. Export '
                         f'the project again.')
    name = f'annotation {annotation.get("id", f"at position {number}")} of {task_name}'
    if annotation.get('was_cancelled'):
        own.leave_out('skipped annotation', name, path, 'was skipped by its annotator (was_cancelled)')
        return
    items: Dict[Any, List[dict]] = {}
    for item in results:
        # Relations between regions have no id.
        if has_keys(item, 'id', 'value') and isinstance(item['value'], dict):
            items.setdefault(str(item['id']), []).append(item)
    for region_id, of_region in items.items():
        yield _read_region(path, f'region {region_id} of {name}', task, of_region)


def _read_region(path: str, entry: str, task: dict, items: List[dict]) -> _Region:
    """Gather what the items of one id say: each repeats the shape, and one has the text."""
    texts: Dict[str, List[str]] = {}
    shape = None
    for item in items:
        value = item['value']
        if shape is None and any(key in value for key in ('points', 'rle', 'x')):
            shape = item
        if 'text' in value and item.get('type') == 'textarea':
            typed = value['text'] if isinstance(value['text'], list) else [value['text']]
            if not all(isinstance(text, str) for text in typed):
                raise ValueError(f'{path}: {entry} has the text {shorten(value["text"])}, but a list of sentences is '
                                 f'expected. Correct it, or export the project again.')
            lines = texts.setdefault(str(item.get('from_name')), [])
            lines += [line for text in typed for line in split_lines(text)]
    labels = (one for item in items for key, named in item['value'].items() if str(key).endswith('labels')
              for one in (named if isinstance(named, list) else ()) if isinstance(one, str))
    return _Region(path, entry, task, shape, texts, next(labels, 'object'))


def _add(region: _Region, text_key: str, own: OwnSet, source: Source, upright: bool) -> None:
    path, entry = region.path, region.entry
    sentences = region.texts.get(text_key)
    if region.shape is None:
        if region.texts:
            own.leave_out('text without a region', entry, path,
                          'is text about the whole image. Text of a region needs a <TextArea> with perRegion="true"')
        return
    value = region.shape['value']
    if 'points' not in value and 'rle' not in value:
        kind = shorten(region.shape.get('type'))
        own.leave_out('box, ellipse or point', entry, path,
                      f'is of type {kind}, which is no mask: draw a polygon, or use a brush')
        return
    if not sentences:
        own.leave_out('region without a sentence', entry, path, f'has no text in {shorten(text_key)}')
        return
    if value.get('closed') is False:
        own.leave_out('open outline', entry, path, 'is an outline that is not closed: close it')
        return
    if region.shape.get('image_rotation') not in (None, 0):
        own.leave_out('region on a rotated image', entry, path,
                      f'was drawn on an image that the annotator rotated by '
                      f'{shorten(region.shape["image_rotation"])} degrees: draw it without rotating')
        return
    image = own.find_image(_references(region, source), entry, path)
    if image is None:
        return
    size = _annotated_size(region)
    turn = find_turn(own.images.header(image), *size, upright=upright, where=f'{path}: {entry}')
    segmentation = _segmentation(region, turn, size)
    if segmentation is None:
        own.leave_out('empty mask', entry, path, 'covers no pixel: all of its brush strokes are erased')
        return
    own.add_ref(image, own.add_annotation(image, segmentation, region.label), sentences, path=path, place=entry)


def _annotated_size(region: _Region) -> Tuple[int, int]:
    size = [read_whole_number(region.shape.get(f'original_{side}')) for side in ('height', 'width')]
    if any(side is None or side <= 0 for side in size) or size[0] * size[1] > max_image_pixels():
        raise ValueError(f'{region.path}: {region.entry} lacks the size of its image: original_height '
                         f'{shorten(region.shape.get("original_height"))}, original_width '
                         f'{shorten(region.shape.get("original_width"))}. Export the project again, as JSON.')
    return size[0], size[1]


def _segmentation(region: _Region, turn: Turn, size: Tuple[int, int]) -> Any:
    """The COCO segmentation on the stored pixels; None if it covers nothing."""
    value, (height, width) = region.shape['value'], size
    if 'points' in value:
        points = value['points']
        if not isinstance(points, list) or not all(_is_point(point) for point in points):
            raise ValueError(f'{region.path}: {region.entry} has the points {shorten(points)}, but pairs of x and y in '
                             f'percent of the image are expected. Export the project again.')
        # A millionth of a pixel takes away what the way to percent and back adds.
        outline = [round(side * number / 100, 6) for point in points for side, number in zip((width, height), point)]
        return [turn.turn_polygon(outline)]
    try:
        mask = decode_brush(value['rle'], height, width)
    except ValueError as error:
        raise ValueError(f'{region.path}: {region.entry}: {error}. Export the project again, as JSON.') from error
    return encode_mask(turn.turn_mask(mask)) if mask.any() else None


def _is_point(point: Any) -> bool:
    return isinstance(point, list) and len(point) == 2 and all(
        isinstance(one, (int, float)) and not isinstance(one, bool) and abs(one) < _MOST for one in point)


def _references(region: _Region, source: Source) -> List[str]:
    """What the export calls the image: its path or address in the task's data, then the name of the upload."""
    references = [_file_of(region.task['data'][_image_key(region, source)])]
    upload = region.task.get('file_upload')
    if isinstance(upload, str) and _IMAGE_NAME.search(upload):
        references.append(upload)
    return [one for one in references if one]


def _image_key(region: _Region, source: Source) -> str:
    data = region.task['data']
    chosen = read_text(source.options, 'image_key')
    names = [str(key) for key, value in data.items() if isinstance(value, str) and
             (_IMAGE_NAME.search(value) or key == 'image' or key == chosen)]
    if chosen in names:
        return chosen
    if chosen is None and 'image' in names:
        return 'image'
    if chosen is None and len(names) == 1:
        return names[0]
    listed = ', '.join(shorten(str(key)) for key in list(data)[:20])
    raise ValueError(f'{region.path}: which entry of the data of {region.entry} is the image? There are: {listed}. '
                     f'Name it: {flag_of("image_key")} NAME.')


def _file_of(address: str) -> str:
    """The path of a file in an address: of an upload, of local or cloud storage, or of any server."""
    address = address.strip()
    if address.startswith('data:'):
        return ''
    try:
        parts = urlsplit(address)
    except ValueError:
        return address
    query = parse_qs(parts.query)
    if 'd' in query and parts.path.rstrip('/').endswith('local-files'):
        return query['d'][0]
    if parts.scheme or address.startswith('/data/'):
        return unquote(parts.path)
    return address


LABEL_STUDIO = Form(
    name='label-studio',
    title="Label Studio's JSON export (project-1-at-2024-05-01-10-00-1a2b3c4d.json)",
    recognise=_recognise,
    read=_read,
    own_masks=True,
    convert_only=True,
    options=('text_key', 'image_key', 'upright', *SPLIT_OPTIONS))
