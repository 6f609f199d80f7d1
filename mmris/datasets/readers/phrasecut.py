"""PhraseCut: phrases for one or several objects of Visual Genome's images, with polygons for each object."""

import os
import re
from glob import escape as glob_escape
from glob import glob
from typing import Any, Dict, Iterator, List, Optional, Tuple

from mmris.datasets.data_files import read_json
from mmris.utils.ids import Id, read_id
from mmris.utils.text import shorten

from .content import Content, RawRef
from .form import Form, first_entry, has_keys
from .points import flatten_points
from .source import Source, SourceFile

_REFER = re.compile(r'refer_(?!input_)([A-Za-z]+)')


def _recognise(value: Any) -> bool:
    return has_keys(first_entry(value), 'task_id', 'image_id', 'phrase')


def _read(source: Source) -> Content:
    files = source.files
    if len(files) > 1:
        # The folder has scene graphs of the same splits too, which are large and of another form.
        files = [file for file in files if _REFER.match(os.path.basename(file.path))]
    images: Dict[Id, dict] = {}
    refs: List[RawRef] = []
    annotations: List[dict] = []
    information: Dict[str, Dict[Id, dict]] = {}
    for file in files:
        folder = os.path.dirname(file.path)
        if folder not in information:
            information[folder] = _read_image_data(folder)
        for ref, targets in _read_tasks(file, information[folder]):
            image_id = read_id(ref.ref.get('image_id')) if isinstance(ref.ref, dict) else None
            if image_id is not None and image_id not in images:
                images[image_id] = _image(image_id, information[folder])
            refs.append(ref)
            annotations += targets
    return Content(refs, dict(images=list(images.values()), annotations=annotations))


def _read_image_data(folder: str) -> Dict[Id, dict]:
    """What ``image_data_split3000.json`` says of images, by their ids. Without it, sizes are read from the images."""
    found: Dict[Id, dict] = {}
    for path in sorted(glob(os.path.join(glob_escape(folder), 'image_data_split*.json'))):
        entries = read_json(path)
        if not isinstance(entries, list):
            raise ValueError(f'{path} holds a {type(entries).__name__}, but PhraseCut\'s image data are a list of '
                             f'images. Download it again, or remove it: sizes are then read from the images.')
        found.update((read_id(one['image_id']), one) for one in entries if has_keys(one, 'image_id'))
    return found


def _image(image_id: Id, information: Dict[Id, dict]) -> dict:
    known = information.get(image_id, {})
    return dict(id=image_id, file_name=f'{image_id}.jpg', height=known.get('height'), width=known.get('width'))


def _read_tasks(file: SourceFile, information: Dict[Id, dict]) -> Iterator[Tuple[RawRef, List[dict]]]:
    """Each task as a ref, with an annotation for each of its objects."""
    if not isinstance(file.value, (list, tuple)):
        raise ValueError(f'{file.path} holds a {type(file.value).__name__}, but PhraseCut\'s refer_<split>.json is a '
                         f'list of tasks. Download it again.')
    named = _REFER.match(os.path.basename(file.path))
    for position, task in enumerate(file.value):
        place = f'task at position {position}'
        if not isinstance(task, dict):
            yield RawRef(file.path, place, task), []
            continue
        split = named[1] if named else information.get(read_id(task.get('image_id')), {}).get('split', file.split)
        annotations = list(_read_objects(file.path, place, task))
        ref = {'ref_id': task['task_id']} if 'task_id' in task else {}
        if 'image_id' in task:
            ref.update(image_id=task['image_id'])
        if split is not None:
            ref.update(split=split)
        ref.update(ann_id=[one['id'] for one in annotations], sentences=[dict(sent_id=0, sent=task.get('phrase'))])
        yield RawRef(file.path, place, ref), annotations


def _read_objects(path: str, place: str, task: dict) -> Iterator[dict]:
    if 'Polygons' not in task:
        raise ValueError(f'{path}: {place} lacks Polygons, as tasks of refer_input_<split>.json do. Take '
                         f'refer_<split>.json.')
    objects = task['Polygons']
    if not isinstance(objects, list):
        raise ValueError(f'{path}: {place} has Polygons={shorten(objects)}, but they are a list of objects, each a '
                         f'list of polygons [[x, y], ...]. Download the file again.')
    boxes = task.get('instance_boxes')
    # Each phrase is of something in the image: without an object, its mask is missing.
    for number, polygons in enumerate(objects or [[]]):
        segmentation = [flatten_points(one) for one in polygons] if isinstance(polygons, list) else polygons
        one = f'{task.get("task_id")}-{number}'
        annotation = dict(id=one, image_id=task.get('image_id'), segmentation=segmentation)
        box = _box_of(boxes, number, len(objects))
        yield annotation if box is None else dict(annotation, bbox=box)


def _box_of(boxes: Any, number: int, count: int) -> Optional[Any]:
    return boxes[number] if isinstance(boxes, list) and len(boxes) == count and number < count else None


PHRASECUT = Form(
    name='phrasecut', title="PhraseCut's JSON (refer_val.json)", recognise=_recognise, read=_read, own_masks=True)
