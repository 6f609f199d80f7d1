"""SeqTR's files: a dict of splits. SimVG, C3VG, DeRIS, InstanceVG and PropVG have the same ones."""

import logging
import os
import re
from typing import Any, Dict, Iterator, List, Optional, Set

from mmengine.logging import print_log

from mmris.datasets.entry_faults import NO_TARGET, fault_of_dict
from mmris.datasets.splits import is_in_split
from mmris.utils.ids import Id, read_id
from mmris.utils.text import shorten

from .coco_names import coco_file_name
from .content import Content
from .form import Form, any_has_keys, has_keys
from .ref_groups import ImageList, RefGroups, read_target
from .source import Source

_TITLE = "SeqTR's dict of splits (refcoco-unc/instances.json)"
# A split of one of several sets in a file: val_refcoco_unc.
_OF_A_SET = re.compile(r'(?:val|test[A-C]?)_(?:ref|flickr).*')


def _recognise(value: Any) -> bool:
    return isinstance(value, dict) and any(
        any_has_keys(items, 'image_id', 'expressions') for items in value.values())


def _read(source: Source) -> Content:
    set_in_making = _Set()
    for file in source.files:
        if not _recognise(file.value):
            raise ValueError(f'{file.path} is not {_TITLE}, as other files of {source.path} are. Name only those.')
        prefix = f'{os.path.basename(os.path.dirname(file.path))}/' if len(source.files) > 1 else ''
        for split, items in file.value.items():
            if not isinstance(split, str) or not isinstance(items, (list, tuple)):
                raise ValueError(f'{file.path} has {shorten(items)} under {shorten(split)}, but by the name of each '
                                 f'split a list of items is expected. Fetch the file again.')
            for position, item in enumerate(items):
                set_in_making.add(_Item(file.path, split, f'{prefix}{split}-{position}',
                                        f'the item at position {position} of {split}', item))
        _warn_of_shared_images(file.path, file.value, source)
    return set_in_making.content(source.path)


class _Item:
    """An item with its place."""

    def __init__(self, path: str, split: str, name: str, place: str, value: Any) -> None:
        self.path = path
        self.split = split
        self.name = name
        self.place = place
        self.value = value


class _FaultError(Exception):
    """What is wrong with an item."""


class _Set:
    """What is read so far."""

    def __init__(self) -> None:
        self._groups, self._images = RefGroups(), ImageList()
        self._annotations: List[dict] = []
        self._by_id: Dict[Id, dict] = {}
        self._by_outline: Dict[tuple, Id] = {}
        # Of items without a mask whose annotations have ids, and those without either.
        self._without_masks, self._boxes_alone = 0, 0

    def add(self, item: _Item) -> None:
        try:
            self._add(item)
        except _FaultError as error:
            self._groups.add_faulty(item.path, item.place, dict(split=item.split), str(error))

    def _add(self, item: _Item) -> None:
        value = item.value
        _check_keys(value, 'image_id', 'expressions')
        image_id = read_id(value['image_id'])
        if image_id is None:
            raise _FaultError(f'has image_id={shorten(value["image_id"])}, but ids are whole numbers or text')
        name = _file_name(item, image_id)
        sentences = list(_read_sentences(value['expressions']))
        if 'annotations' in value:
            targets = self._read_annotations(value, image_id, len(sentences))
        else:
            targets = [self._read_mask(item, image_id)] * len(sentences)
        self._images.add(image_id, name, **{side: value[side] for side in ('height', 'width') if side in value})
        for number, (sentence, ids) in enumerate(zip(sentences, targets)):
            ann_id, ref_id = read_target(ids, image_id)
            self._groups.add(
                item.path, item.place,
                dict(ref_id=ref_id, ann_id=ann_id, image_id=image_id, split=item.split, file_name=name),
                dict(sentence, sent_id=f'{item.name}-{number}'))

    def _read_mask(self, item: _Item, image_id: Id) -> List[Id]:
        """Keep the mask of an item; returns its annotation, or none if nothing fits."""
        value = item.value
        given = read_id(value.get('id'))
        if given == NO_TARGET:
            return []
        mask = value.get('mask')
        if not mask:
            self._without_masks += given is not None
            self._boxes_alone += given is None
        one = given
        if one is None:
            # The items of an object's sentences in val and test have its mask each.
            outline = _outline_of(mask)
            one = item.name if outline is None else self._by_outline.setdefault((image_id, outline), item.name)
        self._keep(one, image_id, mask, value.get('bbox'))
        return [one]

    def _read_annotations(self, value: dict, image_id: Id, count: int) -> List[List[Id]]:
        """Keep the annotations of an item; returns those of each of its sentences."""
        annotations = value['annotations']
        if not isinstance(annotations, (list, tuple)) or not annotations:
            raise _FaultError(f'has annotations={shorten(annotations)}, but a list of the targets is expected; one '
                              f'without target has an annotation with id -1')
        if not isinstance(annotations[0], (list, tuple)):
            return [self._read_targets(annotations, image_id)] * count
        if len(annotations) != count:
            raise _FaultError(f'has {count} expressions and {len(annotations)} lists of annotations, but one for each '
                              f'expression is expected')
        return [self._read_targets(one, image_id) for one in annotations]

    def _read_targets(self, annotations: Any, image_id: Id) -> List[Id]:
        if not isinstance(annotations, (list, tuple)) or not annotations:
            raise _FaultError(f'has {shorten(annotations)} in place of the annotations of an expression')
        ids, empty = [], 0
        for annotation in annotations:
            # SimVG's are MDETR's, where `id` is a running number.
            key = 'original_id' if has_keys(annotation, 'original_id') else 'id'
            _check_keys(annotation, key)
            one = read_id(annotation[key])
            if one is None:
                raise _FaultError(f'has an annotation with {key}={shorten(annotation[key])}, but ids are whole '
                                  f'numbers or text')
            if one == NO_TARGET or annotation.get('empty') is True:
                empty += 1
                continue
            ids.append(one)
            mask = annotation.get('segmentation')
            self._without_masks += not mask
            self._keep(one, image_id, mask, annotation.get('bbox'))
        if ids and empty:
            raise _FaultError('has both a target and an annotation without one (id -1)')
        return ids

    def _keep(self, one: Id, image_id: Id, mask: Any, box: Any) -> None:
        annotation = dict(id=one, image_id=image_id)
        if mask:
            annotation['segmentation'] = mask
        if isinstance(box, (list, tuple)) and len(box) == 4:
            annotation['bbox'] = box
        # Two different ones of the same id are both kept, so that they are reported.
        if self._by_id.setdefault(one, annotation) != annotation or self._by_id[one] is annotation:
            self._annotations.append(annotation)

    def content(self, path: str) -> Content:
        """What was read.

        Raises:
            ValueError: If there are boxes alone.
        """
        if not any('segmentation' in one for one in self._annotations):
            if self._boxes_alone:
                raise ValueError(
                    f'{path} is {_TITLE}, but has boxes alone, as those of flickr30k, Visual Genome and their mixture '
                    f'do. Take a file with a mask an item (refcoco-unc, refcocoplus-unc, refcocog-umd), or '
                    f'refs(...).p with instances.json: mmris download refcoco.')
            if self._without_masks:
                # Masks are in the annotation file then, by the same ids.
                return Content(self._groups.refs)
        return Content(self._groups.refs, dict(images=self._images.images, annotations=self._annotations))


def _check_keys(value: Any, *keys: str) -> None:
    fault = fault_of_dict(value, keys)
    if fault is not None:
        raise _FaultError(fault)


def _read_sentences(expressions: Any) -> Iterator[Dict[str, Any]]:
    if isinstance(expressions, str):
        yield dict(sent=expressions)
    elif isinstance(expressions, (list, tuple)) and expressions:
        yield from (dict(sent=one) for one in expressions)
    elif isinstance(expressions, dict) and expressions.keys() & {'raw', 'sent'}:
        texts = {key: expressions[key] for key in ('raw', 'sent') if key in expressions}
        lists = {key: one if isinstance(one, (list, tuple)) else [one] for key, one in texts.items()}
        yield from (dict(zip(lists, ones)) for ones in zip(*lists.values()))
    else:
        raise _FaultError(f'has expressions={shorten(expressions)}, but a list of sentences is expected')


def _file_name(item: _Item, image_id: Id) -> str:
    """Name the image file of an item, as the projects' own readers do."""
    given = item.value.get('file_name')
    if isinstance(given, str) and given:
        return given
    if not isinstance(image_id, int):
        raise _FaultError(f'has image_id={shorten(image_id)}, but the names of image files are made of numbers')
    # In a mixture each item tells where its image is from.
    told = item.value.get('data_source')
    told = told if isinstance(told, str) else os.path.basename(os.path.dirname(os.path.abspath(item.path)))
    of_others = ('referit', 'saiapr', 'flickr', 'visual')
    return f'{image_id}.jpg' if any(one in told.lower() for one in of_others) else coco_file_name(image_id)


def _outline_of(mask: Any) -> Optional[tuple]:
    """What two masks have in common if they are equal; None if it cannot be told."""
    try:
        if isinstance(mask, dict):
            counts = mask['counts']
            outline = (tuple(mask['size']), counts if isinstance(counts, (str, bytes)) else tuple(counts))
        else:
            outline = tuple(tuple(part) for part in mask)
        hash(outline)
    except (KeyError, TypeError):
        return None
    return outline or None


def _warn_of_shared_images(path: str, value: Dict[str, Any], source: Source) -> None:
    """Warn if the training split of a mixture has images of the other splits."""
    others = [split for split in value if _OF_A_SET.fullmatch(split)]
    if not others or source.splits is None or not any(is_in_split('train', one) for one in source.splits):
        return
    train = _image_ids(value.get('train', ()))
    shared = {split: len(train & _image_ids(value[split])) for split in others}
    shared = {split: count for split, count in shared.items() if count}
    if not shared:
        return
    counts = ', '.join(f'{split} ({count:,})' for split, count in shared.items())
    print_log(
        f'{path}: images of split train are also in splits to evaluate on: {counts}. The file joins the training '
        f'splits of several sets as they are, and a model trained on it has seen these images. Leave them out with '
        f'exclude=dict(mixed=dict(refs_file=<this file>, splits={list(shared)})) of the data set, as '
        f'configs/_base_/datasets/refcoco_mixed.py does.',
        logger='current',
        level=logging.WARNING)


def _image_ids(items: Any) -> Set[Optional[Id]]:
    return {read_id(item['image_id']) for item in items if has_keys(item, 'image_id')} - {None}


SEQTR = Form(name='seqtr', title=_TITLE, recognise=_recognise, read=_read, own_masks=True)
