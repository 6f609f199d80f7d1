"""The JSON Lines of GSEval (hustvl/GSEval): a sentence with its mask a line, on COCO's unlabeled images of 2017."""

import os
from typing import Any, Dict, List

from mmris.utils.finite import is_finite_number
from mmris.utils.ids import Id

from .columns import size_of_mask
from .content import Content, RawRef
from .form import Form, first_entry, has_keys
from .source import Source, SourceFile

_KEYS = ('idx', 'image_path', 'caption', 'segmentation')
# The split that its card gives the only file.
_SPLIT = 'test'


def _recognise(value: Any) -> bool:
    # JSON Lines of one line are a dict.
    return has_keys(value, *_KEYS) or has_keys(first_entry(value), *_KEYS)


def _read(source: Source) -> Content:
    refs: List[RawRef] = []
    images: Dict[Id, dict] = {}
    annotations: Dict[tuple, dict] = {}
    for file in source.files:
        for number, entry in enumerate(_lines(file)):
            place = f'line {number + 1}'
            path = entry.get('image_path') if isinstance(entry, dict) else None
            if not isinstance(path, str):
                # The checks report it as a ref without an image.
                refs.append(RawRef(file.path, place, _ref(entry, {}, file) if isinstance(entry, dict) else entry))
                continue
            image_id = _image_id(path)
            image = dict(id=image_id, file_name=_file_name(path, source.image_folder))
            images.setdefault(image_id, dict(size_of_mask(entry.get('segmentation')), **image))
            # Two sentences with the same mask are about one object.
            key = (image_id, repr(entry.get('segmentation')))
            annotation = annotations.setdefault(key, _annotation(entry, image_id))
            refs.append(RawRef(file.path, place, _ref(entry, annotation, file)))
    return Content(refs, dict(images=list(images.values()), annotations=list(annotations.values())))


def _lines(file: SourceFile) -> list:
    value = file.value
    if isinstance(value, dict):
        return [value]
    if not isinstance(value, list):
        raise ValueError(f'{file.path} holds a {type(value).__name__}, but lines of GSEval are expected, each with '
                         f'{", ".join(_KEYS)}. Name GroundingSuite-Eval.jsonl as it was published.')
    return value


def _image_id(path: str) -> Id:
    # COCO's file names are ids of 12 digits.
    stem = os.path.splitext(os.path.basename(path))[0]
    return int(stem) if len(stem) == 12 and stem.isascii() and stem.isdigit() else path


def _file_name(path: str, image_folder: Any) -> str:
    """The name below the image folder, which is either ``unlabeled2017`` or the folder that it is in."""
    name = os.path.basename(path)
    if image_folder is not None and not os.path.isfile(os.path.join(image_folder, path)) and \
            os.path.isfile(os.path.join(image_folder, name)):
        return name
    return path


def _annotation(entry: dict, image_id: Id) -> dict:
    annotation = dict(id=entry.get('idx'), image_id=image_id)
    if 'segmentation' in entry:
        annotation['segmentation'] = entry['segmentation']
    box = entry.get('box')
    if isinstance(box, list) and len(box) == 4 and all(map(is_finite_number, box)):
        # From corners to width and height.
        annotation['bbox'] = [box[0], box[1], box[2] - box[0], box[3] - box[1]]
    return annotation


def _ref(entry: dict, annotation: dict, file: SourceFile) -> dict:
    """The ref of a line, without what the line lacks."""
    sentence = dict(sent_id=entry.get('idx'), raw=entry.get('caption'))
    ids = dict(ref_id=entry.get('idx'), ann_id=annotation.get('id'), image_id=annotation.get('image_id'))
    return dict({key: one for key, one in ids.items() if one is not None}, split=file.split or _SPLIT,
                sentences=[sentence])


GSEVAL = Form(
    name='gseval',
    title="GSEval's JSON Lines (GroundingSuite-Eval.jsonl)",
    recognise=_recognise,
    read=_read,
    own_masks=True)
