"""Sa2VA's own data: a list of images, each with masks and a text for each mask."""

from typing import Any, Dict, Iterator, List

from mmris.utils.text import shorten

from .content import Content, RawRef
from .form import Form, first_entry, has_keys
from .source import Source, SourceFile


def _recognise(value: Any) -> bool:
    first = first_entry(value)
    return has_keys(first, 'image', 'mask', 'text') and isinstance(first['mask'], list) and isinstance(
        first['text'], list)


def _read(source: Source) -> Content:
    images: Dict[str, dict] = {}
    refs: List[RawRef] = []
    annotations: List[dict] = []
    for number, file in enumerate(source.files):
        # Files of fine-tuning data: without a split in its name, a file is of the one to train on.
        split = file.split or 'train'
        for position, entry in enumerate(_check_list(file)):
            place = f'entry at position {position}'
            _check_entry(file.path, place, entry)
            name = entry['image']
            images.setdefault(name, dict(id=name, file_name=name))
            prefix = f'{split}-{position}' if len(source.files) == 1 else f'{split}-{number}-{position}'
            refs += _read_refs(RawRef(file.path, place, entry), prefix, split, annotations)
    return Content(refs, dict(images=list(images.values()), annotations=annotations))


def _check_list(file: SourceFile) -> list:
    if not isinstance(file.value, list):
        raise ValueError(f'{file.path} holds a {type(file.value).__name__}, but Sa2VA\'s annotations are a list of '
                         f'dicts with image, mask and text. Name only such files.')
    return file.value


def _check_entry(path: str, place: str, entry: Any) -> None:
    if not has_keys(entry, 'image', 'mask', 'text'):
        raise ValueError(f'{path}: {place} needs image, mask and text, but is {shorten(entry)}. Correct or remove it.')
    if not isinstance(entry['image'], str):
        raise ValueError(f'{path}: {place} has image={shorten(entry["image"])}, but an image is the name of its file. '
                         f'Correct or remove it.')
    for key in ('mask', 'text'):
        if not isinstance(entry[key], list):
            raise ValueError(f'{path}: {place} has {key}={shorten(entry[key])}, but needs a list with one {key} for '
                             f'each object. Correct or remove it.')
    if len(entry['mask']) != len(entry['text']):
        raise ValueError(f'{path}: {place} has {len(entry["mask"])} masks and {len(entry["text"])} texts, but each '
                         f'text belongs to the mask of its position. Repeat a mask that has several texts.')


def _read_refs(one: RawRef, prefix: str, split: str, annotations: List[dict]) -> Iterator[RawRef]:
    """A ref for each different mask of an entry: texts of one object share it."""
    sentences: Dict[str, List[dict]] = {}
    for position, (mask, text) in enumerate(zip(one.ref['mask'], one.ref['text'])):
        key = repr(mask)
        if key not in sentences:
            sentences[key] = []
            target = f'{prefix}-{position}'
            annotations.append(dict(id=target, image_id=one.ref['image'], segmentation=mask))
            yield RawRef(one.path, f'{one.place}, mask {position}', dict(
                ref_id=target, ann_id=target, image_id=one.ref['image'], split=split, sentences=sentences[key]))
        sentences[key].append(dict(sent_id=position, raw=text))


SA2VA = Form(name='sa2va', title="Sa2VA's JSON (annotations.json)", recognise=_recognise, read=_read, own_masks=True)
