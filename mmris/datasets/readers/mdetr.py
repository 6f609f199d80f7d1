"""MDETR's files: COCO-like, with an image entry a sentence. GLIP and MMDetection have the same ones."""

from typing import Any, Dict, Optional, Tuple

from mmris.datasets.entry_faults import NO_TARGET, fault_of_dict, fault_of_id
from mmris.utils.ids import Id, read_id
from mmris.utils.text import shorten

from .content import Content
from .form import Form, any_has_keys, has_keys
from .ref_groups import RefGroups, read_target
from .source import Source, SourceFile

_TITLE = "MDETR's file of sentences and boxes (finetune_refcoco_val.json)"


def _recognise(value: Any) -> bool:
    return has_captions(value) and any_has_keys(value['annotations'], 'original_id') and not is_phrasecut(value)


def has_captions(value: Any) -> bool:
    """Tell whether a value is COCO-like with a sentence an image, as all files for MDETR are."""
    return has_keys(value, 'images', 'annotations') and isinstance(value['annotations'], list) and \
        isinstance(value['images'], list) and any_has_keys(value['images'], 'caption')


def is_phrasecut(value: Any) -> bool:
    """Tell whether a value is what MDETR's script makes of PhraseCut."""
    return has_captions(value) and any_has_keys(value['images'], 'caption', 'task_id')


def _read(source: Source) -> Content:
    groups = RefGroups()
    for file in source.files:
        if not _recognise(file.value):
            raise ValueError(f'{file.path} is not {_TITLE}, as other files of {source.path} are. Name only those.')
        if file.split is None:
            raise ValueError(f'{file.path} is {_TITLE}, in which each split is a file. The name of this one does not '
                             f'tell its split: name it as published, such as finetune_refcoco_val.json.')
        _read_file(file, file.split, groups)
    return Content(groups.refs)


def _read_file(file: SourceFile, split: str, groups: RefGroups) -> None:
    targets = _read_targets(file, split, groups)
    seen = set()
    for position, image in enumerate(file.value['images']):
        place = f'the entry at position {position} of `images`'
        fault = _fault_of(image, 'id', 'original_id', ids=('id', 'original_id'), text=('caption', ))
        if fault is not None:
            groups.add_faulty(file.path, place, dict(split=split), fault)
            continue
        running = read_id(image['id'])
        if running in seen:
            raise ValueError(f'{file.path} has two entries of `images` with id {running}, so that their annotations '
                             f'cannot be told apart. Each sentence has an id of its own there: fetch the file again.')
        seen.add(running)
        boxes, fault = targets.pop(running, ({}, 'has no annotation: one without target has original_id -1'))
        ref = dict(image_id=read_id(image['original_id']), split=split, file_name=image.get('file_name'))
        if fault is not None:
            groups.add_faulty(file.path, place, ref, fault)
            continue
        ann_id, ref_id = read_target(list(boxes), ref['image_id'])
        groups.add(file.path, place, dict(ref, ann_id=ann_id, ref_id=ref_id, target_boxes=list(boxes.values())),
                   dict(sent_id=running, sent=image['caption']))
    for running in targets:
        groups.add_faulty(file.path, f'an annotation of image {shorten(running)}', dict(split=split),
                          'is of none of the entries of `images`')


def _read_targets(file: SourceFile, split: str, groups: RefGroups) -> Dict[Id, Tuple[Dict[Id, Any], Optional[str]]]:
    """By the running id of the image, the boxes of its targets by their COCO ids, and what is wrong with one."""
    found: Dict[Id, Tuple[Dict[Id, Any], Optional[str]]] = {}
    empty = set()
    for position, annotation in enumerate(file.value['annotations']):
        place = f'the entry at position {position} of `annotations`'
        fault = _fault_of(annotation, 'image_id', ids=('image_id', ))
        if fault is not None:
            groups.add_faulty(file.path, place, dict(split=split), fault)
            continue
        running = read_id(annotation['image_id'])
        boxes, first_fault = found.get(running, ({}, None))
        fault = _fault_of(annotation, 'original_id', ids=('original_id', ))
        if fault is None:
            if annotation.get('empty') is True or read_id(annotation['original_id']) == NO_TARGET:
                empty.add(running)
            else:
                boxes.setdefault(read_id(annotation['original_id']), annotation.get('bbox'))
        else:
            fault = f'has an annotation ({place}) that {fault}'
        found[running] = boxes, first_fault or fault
    for running in empty:
        if found[running][0]:
            found[running] = {}, 'has both a target and an annotation without one (original_id -1)'
    return found


def _fault_of(entry: Any, *keys: str, ids: Tuple[str, ...], text: Tuple[str, ...] = ()) -> Optional[str]:
    fault = fault_of_dict(entry, (*keys, *text))
    return fault or next((wrong for key in ids if (wrong := fault_of_id(entry, key)) is not None), None)


MDETR = Form(name='mdetr', title=_TITLE, recognise=_recognise, read=_read)
