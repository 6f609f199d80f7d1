"""aRefCOCO: sentences of its own for refs of RefCOCO (unc) and RefCOCOg (umd), whose masks it takes."""

import os
from collections import Counter
from typing import Any, Dict, Iterator, List, Tuple

from mmris.datasets.data_files import read_json, read_json_or_pickle
from mmris.utils.ids import Id, read_id
from mmris.utils.text import shorten

from .content import Content, RawRef
from .form import Form, first_entry, has_keys
from .source import Source

# Where the published layout has the refs of each set.
_REFS_FILES = dict(refcoco='refs(unc).p', refcocog='refs(umd).p')
_KEPT = ('id', 'image_id', 'category_id', 'bbox', 'segmentation')


def _recognise(value: Any) -> bool:
    return isinstance(value, dict) and has_keys(
        first_entry(value.get('annotations')), 'ref_id', 'original_dataset', 'descriptions')


class _Original:
    """A set whose refs aRefCOCO describes.

    Args:
        name (str): ``'refcoco'`` or ``'refcocog'``.
        beside (str): The file of aRefCOCO.
        ref_ids (set): Ids of the refs that are needed.
    """

    def __init__(self, name: str, beside: str, ref_ids: set) -> None:
        self.name = name
        self.refs_path = _find(beside, name, _REFS_FILES[name])
        refs = read_json_or_pickle(self.refs_path)
        if not isinstance(refs, list):
            raise ValueError(f'{self.refs_path} holds a {type(refs).__name__}, but a refs file is a list of refs. Take '
                             f'the {_REFS_FILES[name]} of {name}.')
        self.refs: Dict[Id, dict] = {}
        for ref in refs:
            one = read_id(ref.get('ref_id')) if isinstance(ref, dict) else None
            if one in ref_ids and {'ann_id', 'image_id'} <= ref.keys():
                self.refs[one] = ref
        self.instances = self._read_instances(_find(beside, name, 'instances.json'))

    def _read_instances(self, path: str) -> Dict[str, Dict[Any, dict]]:
        """Images and annotations that are needed, by their ids."""
        wanted = dict(
            images={read_id(ref['image_id']) for ref in self.refs.values()},
            annotations={read_id(ref['ann_id']) for ref in self.refs.values()})

        def drop_unreferred_outlines(entry: dict) -> dict:
            if 'segmentation' in entry and read_id(entry.get('id')) not in wanted['annotations']:
                return {key: entry[key] for key in ('id', 'image_id') if key in entry}
            return entry

        content = read_json(path, drop_unreferred_outlines)
        if not isinstance(content, dict) or not all(isinstance(content.get(kind), list) for kind in wanted):
            raise ValueError(f'{path} is not a COCO annotation file: it needs lists of `images` and `annotations`. '
                             f'Take the instances.json of {self.name}.')
        found: Dict[str, Dict[Any, dict]] = {}
        for kind, ids in wanted.items():
            entries = [(read_id(one['id']), one) for one in content[kind] if has_keys(one, 'id')]
            found[kind] = {one: entry for one, entry in entries if one in ids}
        return found


def _find(beside: str, name: str, file: str) -> str:
    folder = os.path.dirname(os.path.abspath(beside))
    tried = [os.path.join(one, name, file) for one in (os.path.dirname(folder), folder)]
    found = next((path for path in tried if os.path.isfile(path)), None)
    if found is None:
        raise FileNotFoundError(f'{beside} has sentences for masks of {name}, and {name}/{file} is missing. Looked for '
                                f'{" and ".join(tried)}. Get the set (mmris download {name}) and put its '
                                f'folder beside that of {os.path.basename(beside)}.')
    return found


def _read(source: Source) -> Content:
    images: Dict[Id, dict] = {}
    annotations: Dict[Id, dict] = {}
    refs = [ref for file in source.files for ref in _read_file(file.path, file.value, images, annotations)]
    return Content(refs, dict(images=list(images.values()), annotations=list(annotations.values())))


def _read_file(path: str, value: Any, images: Dict[Id, dict], annotations: Dict[Id, dict]) -> Iterator[RawRef]:
    entries = list(_check_entries(path, value))
    needed: Dict[str, set] = {}
    for _, entry in entries:
        needed.setdefault(entry['original_dataset'], set()).add(read_id(entry['ref_id']))
    originals = {name: _Original(name, path, ref_ids) for name, ref_ids in sorted(needed.items())}
    counts: Counter = Counter()
    for place, entry in entries:
        original, one = originals[entry['original_dataset']], read_id(entry['ref_id'])
        ref = original.refs.get(one)
        if ref is None:
            raise ValueError(f'{path}: {place} is about ref {shorten(entry["ref_id"])}, which {original.refs_path} '
                             f'does not have. Take the {_REFS_FILES[original.name]} of {original.name} as published.')
        target = _add_target(original, ref, images, annotations)
        # Both sets count their refs from 0.
        ref_id = f'{original.name}-{one}'
        yield RawRef(path, place, dict(
            ref_id=ref_id, ann_id=target, image_id=ref['image_id'], file_name=ref.get('file_name'),
            sentences=_read_sentences(entry['descriptions'], counts, ref_id),
            **({'split': entry['split']} if 'split' in entry else {})))


def _check_entries(path: str, value: Any) -> Iterator[Tuple[str, dict]]:
    if not has_keys(value, 'annotations') or not isinstance(value['annotations'], list):
        raise ValueError(f'{path} has no list of `annotations`, as arefcoco.json has. Name only such files.')
    for position, entry in enumerate(value['annotations']):
        place = f'annotation at position {position}'
        if not has_keys(entry, 'ref_id', 'original_dataset', 'descriptions'):
            raise ValueError(f'{path}: {place} lacks ref_id, original_dataset or descriptions: {shorten(entry)}. '
                             f'Download the file again.')
        if entry['original_dataset'] not in tuple(_REFS_FILES):
            raise ValueError(f'{path}: {place} has original_dataset={shorten(entry["original_dataset"])}, but masks '
                             f'are taken from {" and ".join(_REFS_FILES)}. Remove the entry, or correct it.')
        if read_id(entry['ref_id']) is None:
            raise ValueError(f'{path}: {place} has ref_id={shorten(entry["ref_id"])}, but ids are whole numbers or '
                             f'text. Correct it.')
        yield place, entry


def _add_target(original: _Original, ref: dict, images: Dict[Id, dict], annotations: Dict[Id, dict]) -> Any:
    """Keep image and annotation of a ref, and return the id that the annotation has."""
    image_id, one = read_id(ref['image_id']), read_id(ref['ann_id'])
    image = original.instances['images'].get(image_id)
    annotation = original.instances['annotations'].get(one)
    if image is not None:
        images.setdefault(image_id, {key: image[key] for key in ('id', 'file_name', 'height', 'width') if key in image})
    if annotation is None:
        # Reported as missing by the checks of refs.
        return ref['ann_id']
    annotation = {key: annotation[key] for key in _KEPT if key in annotation}
    # Both sets have COCO's ids, so that an object of both is one, if it has the same mask in both.
    if annotations.setdefault(one, annotation) == annotation:
        return one
    other = f'{original.name}-{one}'
    annotations[other] = dict(annotation, id=other)
    return other


def _read_sentences(descriptions: Any, counts: Counter, ref_id: str) -> Any:
    if not isinstance(descriptions, (list, tuple)):
        return descriptions
    sentences: List[dict] = []
    for text in descriptions:
        # Numbered on, if a ref is described in several entries.
        sentences.append(dict(sent_id=counts[ref_id], sent=text))
        counts[ref_id] += 1
    return sentences


AREFCOCO = Form(
    name='arefcoco', title="aRefCOCO's JSON (arefcoco.json)", recognise=_recognise, read=_read, own_masks=True)
