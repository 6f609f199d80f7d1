"""COCO instances whose annotations carry sentences: CVAT's COCO export, and ``convert_dataset --to coco``."""

import os
from typing import Any, Dict, List, Optional, Set, Tuple

from mmris.datasets.problems import Problem, ProblemTally
from mmris.datasets.stored_split import split_of_info
from mmris.utils.ids import Id, read_id

from .content import Content, RawRef
from .form import Form, has_keys
from .options import SPLIT_OPTIONS, choose_text_key
from .own_set import describe_sentence, split_lines
from .own_splits import divide_images
from .source import Source, SourceFile

_LISTS = ('images', 'annotations')


def _recognise(value: Any) -> bool:
    return has_keys(value, *_LISTS) and isinstance(value['annotations'], list) and any(
        _has_sentences(one) for one in value['annotations'])


def _has_sentences(annotation: Any) -> bool:
    if not has_keys(annotation, 'segmentation'):
        return False
    if 'sentences' in annotation or isinstance(annotation.get('caption'), str):
        return True
    # Other attributes than sentences are words.
    return any(len(text.split()) > 1 for text in _attributes(annotation).values())


def _attributes(annotation: Any) -> Dict[str, str]:
    """Attributes that are text, as CVAT's COCO export has them."""
    attributes = annotation.get('attributes') if isinstance(annotation, dict) else None
    return {} if not isinstance(attributes, dict) else {
        str(name): value for name, value in attributes.items() if isinstance(value, str)}


def _read(source: Source) -> Content:
    text_key = _choose_field(source)
    left_out = ProblemTally()
    parts = [_read_file(file, text_key, left_out) for file in source.files]
    if _share_ids(parts):
        for prefix, (_, images, annotations) in zip(_prefixes(source.files), parts):
            _prefix_ids(prefix, images, annotations)
    refs = [_make_ref(file, position, annotation, sentences)
            for file, (found, _, _) in zip(source.files, parts) for position, annotation, sentences in found]
    images, annotations = (
        [entry for part in parts for entry in part[place]] for place in (1, 2))
    _fill_in_splits(refs, images, source)
    instances = dict(images=images, annotations=annotations, categories=_categories(source))
    return Content(refs, instances, left_out)


def _split_of(file: SourceFile) -> Optional[str]:
    stored = split_of_info(file.value.get('info'))
    return file.split if stored is None else stored


def _choose_field(source: Source) -> str:
    fields: Set[str] = set()
    attributes: Set[str] = set()
    for file in source.files:
        value = file.value
        if not has_keys(value, *_LISTS) or not all(isinstance(value[key], list) for key in _LISTS):
            raise ValueError(f'{file.path} is not a COCO annotation file: it needs lists of `images` and '
                             f'`annotations`. Export it again in COCO format.')
        for one in value['annotations']:
            if isinstance(one, dict):
                fields.update(key for key in ('sentences', 'caption') if one.get(key))
                attributes.update(_attributes(one))
    chosen = source.options.get('text_key')
    if chosen is None and fields:
        return 'sentences' if 'sentences' in fields else 'caption'
    return choose_text_key(source.path, source.options, fields | attributes if chosen else attributes,
                           'attributes of text', 'Export the sentences as an attribute of each object.')


def _categories(source: Source) -> list:
    """The categories, unless files number different ones alike: those of the others are then not known by number."""
    by_id: Dict[Any, Any] = {}
    for file in source.files:
        listed = file.value.get('categories')
        for entry in listed if isinstance(listed, list) else ():
            one = read_id(entry.get('id')) if isinstance(entry, dict) else None
            if one is not None and by_id.setdefault(one, entry).get('name') != entry.get('name'):
                return []
    return list(by_id.values())


def _read_file(file: SourceFile, text_key: str, left_out: ProblemTally) -> Tuple[list, list, list]:
    """Read the annotations with sentences, each with its position, and copies of all images and annotations."""
    images = [dict(one) if isinstance(one, dict) else one for one in file.value['images']]
    annotations, found = [], []
    for position, annotation in enumerate(file.value['annotations']):
        if not isinstance(annotation, dict):
            annotations.append(annotation)
            continue
        annotation = {key: value for key, value in annotation.items() if key not in ('attributes', 'sentences')}
        annotations.append(annotation)
        sentences = _sentences(file.value['annotations'][position], text_key)
        entry = f'annotation {annotation.get("id", f"at position {position}")}'
        if not sentences:
            _leave_out(left_out, 'annotation without a sentence', file.path, entry, f'has no text in {text_key!r}')
        elif annotation.get('segmentation') in (None, []):
            _leave_out(left_out, 'box', file.path, entry, 'has a sentence and no segmentation: draw an outline')
        else:
            found.append((position, annotation, sentences))
    return found, images, annotations


def _leave_out(left_out: ProblemTally, kind: str, path: str, entry: str, why: str) -> None:
    left_out.report(Problem(kind, f'{path}: {entry}', f'{path}: {entry} {why}.'))


def _sentences(annotation: dict, text_key: str) -> list:
    value = annotation.get(text_key) if text_key in annotation else _attributes(annotation).get(text_key)
    if isinstance(value, str):
        return split_lines(value)
    # What is no text is left for the checks that follow.
    return list(value) if isinstance(value, list) else [] if value is None else [value]


def _share_ids(parts: List[Tuple[list, list, list]]) -> bool:
    """Whether files number different images or annotations alike, as exports do that each begin with 1."""
    for place in (1, 2):
        seen: Dict[Id, Any] = {}
        for part in parts:
            for entry in part[place]:
                one = read_id(entry.get('id')) if isinstance(entry, dict) else None
                if one is not None and seen.setdefault(one, entry) != entry:
                    return len(parts) > 1
    return False


def _prefixes(files: List[SourceFile]) -> List[str]:
    """Names of the files without folder and ending; numbered if files of several folders have the same."""
    stems = [os.path.splitext(os.path.basename(file.path))[0] for file in files]
    return stems if len(set(stems)) == len(stems) else [f'{number}-{stem}' for number, stem in enumerate(stems)]


def _prefix_ids(prefix: str, images: List[Any], annotations: List[Any]) -> None:
    for entries, keys in ((images, ('id', )), (annotations, ('id', 'image_id'))):
        for entry in entries:
            for key in keys if isinstance(entry, dict) else ():
                one = read_id(entry.get(key))
                entry[key] = entry.get(key) if one is None else f'{prefix}-{one}'


def _make_ref(file: SourceFile, position: int, annotation: dict, sentences: list) -> RawRef:
    one = annotation.get('id')
    return RawRef(
        file.path, f'annotation at position {position}',
        dict(
            {key: annotation[key] for key in ('image_id', 'category_id') if key in annotation},
            ref_id=one,
            ann_id=one,
            split=_split_of(file),
            sentences=[
                describe_sentence(f'{one}-{number}', text) if isinstance(text, str) else text
                for number, text in enumerate(sentences)
            ]))


def _fill_in_splits(refs: List[RawRef], images: List[Any], source: Source) -> None:
    """Divide the images of files whose names tell no split, by the names of the images."""
    file_names = {read_id(one.get('id')): one.get('file_name') for one in images if isinstance(one, dict)}

    def name_of(one: RawRef) -> str:
        image_id = read_id(one.ref.get('image_id'))
        name = file_names.get(image_id)
        return name if isinstance(name, str) else str(image_id)

    free = [one for one in refs if one.ref['split'] is None]
    splits = divide_images(list(dict.fromkeys(map(name_of, free))), source.options, source.path)
    for one in free:
        one.ref['split'] = splits[name_of(one)]


COCO_SENTENCES = Form(
    name='coco-sentences',
    title='COCO annotations with sentences (train.json)',
    recognise=_recognise,
    read=_read,
    own_masks=True,
    options=('text_key', *SPLIT_OPTIONS))
