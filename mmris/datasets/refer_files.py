"""The published files of the RefCOCO family: what is in them, and whether each entry is whole."""

import json
import os
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Sequence, Set

from .plain_pickle import load_plain_pickle
from .problems import Problem, Report, raise_problem

NO_TARGET = -1


@dataclass(frozen=True)
class ReferFiles:
    """The content of ``instances.json`` and ``refs(...).p``.

    Attributes:
        refs (list[dict]): As published.
        annotations (dict[int, dict]): COCO annotations by id; of those that no ref points to, ids alone.
        images (dict[int, dict]): COCO images by id.
        refs_path (str): Where the refs are from, for messages.
        instances_path (str): Where annotations and images are from, for messages.
    """

    refs: List[dict]
    annotations: Dict[int, dict]
    images: Dict[int, dict]
    refs_path: str
    instances_path: str

    @property
    def splits(self) -> List[str]:
        """list[str]: The splits that the refs name."""
        return sorted({ref['split'] for ref in self.refs})


def read_refer_files(instances_path: str, refs_path: str, *, report: Report = raise_problem) -> ReferFiles:
    """Read both files.

    Args:
        instances_path (str): ``instances.json``, COCO instance annotations.
        refs_path (str): ``refs(unc).p`` and the like, or the same content as ``.json``.
        report (Callable): Told of each malformed entry, which is left out. Defaults to one that raises.

    Returns:
        ReferFiles: Their content.

    Raises:
        FileNotFoundError: If one is missing; the message tells what it is and how sets are laid out.
        ValueError: If one is no such file, or not a whole one, or the refs file holds more than plain data.
        ValueError: By default, if an entry is malformed; the message names file and entry.
    """
    for path, what in ((instances_path, 'COCO instance annotations'), (refs_path, 'the referring expressions')):
        if not os.path.isfile(path):
            raise FileNotFoundError(
                f'{path} ({what}) is missing. A set is a folder with instances.json and refs(<by>).p, as published; '
                f'set data_root, ann_file and refs_file to where yours lies. docs/data.md says how to get it.')
    refs = read_refs(refs_path, report=report)
    instances = _read_instances(instances_path, {one for ref in refs for one in target_annotation_ids(ref)})
    return ReferFiles(
        refs=refs,
        annotations=_by_id(instances, 'annotations', instances_path, report),
        images=_by_id(instances, 'images', instances_path, report),
        refs_path=refs_path,
        instances_path=instances_path)


def read_refs(path: str, *, report: Report = raise_problem) -> List[dict]:
    """Read the refs file alone; see :func:`read_refer_files`."""
    refs = read_json(path) if path.endswith('.json') else load_plain_pickle(path)
    if not isinstance(refs, (list, tuple)):
        raise ValueError(f'{path} holds a {type(refs).__name__}, but a refs file is a list of refs.')
    refs = _whole(refs, 'ref at position {position}', _fault_of_ref, path, report)
    return _whole(refs, 'ref {entry[ref_id]}', _fault_of_sentences, path, report)


def target_annotation_ids(ref: dict) -> List[int]:
    """Ids of the annotations whose union a ref points to: one in RefCOCO, several or none in gRefCOCO."""
    return [annotation_id for annotation_id in _as_list(ref['ann_id']) if annotation_id != NO_TARGET]


def _read_instances(path: str, wanted: Set[int]) -> Dict[str, list]:

    def keep_what_is_wanted(entry: dict) -> dict:
        # Three of four annotations are of objects that no ref points to. Their outlines, most of the file, go as soon
        # as they are read.
        if 'segmentation' not in entry or (is_id(entry.get('id')) and entry['id'] in wanted):
            return entry
        return {key: entry[key] for key in ('id', 'image_id') if key in entry}

    instances = read_json(path, keep_what_is_wanted)
    kinds = ('images', 'annotations')
    if not isinstance(instances, dict) or not all(isinstance(instances.get(kind), list) for kind in kinds):
        raise ValueError(f'{path} is not a COCO annotation file: it needs lists of `images` and `annotations`.')
    return instances


def _by_id(instances: Dict[str, list], kind: str, path: str, report: Report) -> Dict[int, dict]:
    fault_of = _fault_of_image if kind == 'images' else _fault_of_annotation
    entries = _whole(instances[kind], f'the entry at position {{position}} of `{kind}`', fault_of, path, report)
    found: Dict[int, dict] = {}
    for entry in entries:
        if found.setdefault(entry['id'], entry) != entry:
            report(Problem('duplicate id', f'{kind[:-1]} {entry["id"]}', f'{path}: two different entries of `{kind}` '
                           f'have id {entry["id"]}. Give one another id, or remove it.'))
    return found


def read_json(path: str, object_hook: Optional[Callable] = None) -> Any:
    """Read a JSON file.

    Args:
        path (str): The file.
        object_hook (Callable): Gets each dict as soon as it is read; what it returns takes the dict's place. Defaults
            to None: dicts stay as they are.

    Returns:
        The content.

    Raises:
        ValueError: If it is not a whole JSON file; the message names it.
    """
    try:
        with open(path, encoding='utf-8') as file:
            return json.load(file, object_hook=object_hook)
    except (ValueError, RecursionError) as error:
        raise ValueError(f'{path} is not a whole JSON file ({error}). Fetch or make it again.') from error


def _whole(entries: Sequence[Any], name: str, fault_of: Callable[[Any], Optional[str]], path: str,
           report: Report) -> List[dict]:
    """The entries without a fault; the others are reported."""
    whole = []
    for position, entry in enumerate(entries):
        fault = fault_of(entry)
        if fault is None:
            whole.append(entry)
        else:
            place = name.format(position=position, entry=entry)
            report(Problem('malformed entry', place, f'{path}: {place} {fault}.'))
    return whole


def _fault_of_ref(ref: Any) -> Optional[str]:
    fault = _fault_of_keys(ref, ('ref_id', 'ann_id', 'image_id', 'split', 'sentences'))
    if fault is not None:
        return fault
    for key, ids in (('ref_id', [ref['ref_id']]), ('image_id', [ref['image_id']]), ('ann_id', _as_list(ref['ann_id']))):
        if not all(map(is_id, ids)):
            return f'has {key}={ref[key]!r:.80}, but ids are numbers or strings'
    if not isinstance(ref['split'], str):
        return f'has split={ref["split"]!r:.80}, but a split is a name'
    return None


def _fault_of_sentences(ref: dict) -> Optional[str]:
    if not isinstance(ref['sentences'], (list, tuple)) or not ref['sentences']:
        return 'has no sentence. Add one, or remove the ref'
    if not all(isinstance(sentence, dict) and is_id(sentence.get('sent_id')) for sentence in ref['sentences']):
        return 'has a sentence that lacks sent_id'
    return None


def _fault_of_annotation(annotation: Any) -> Optional[str]:
    return _fault_of_keys(annotation, ('id', )) or _fault_of_id(annotation)


def _fault_of_image(image: Any) -> Optional[str]:
    fault = _fault_of_keys(image, ('id', 'file_name', 'height', 'width')) or _fault_of_id(image)
    if fault is not None:
        return fault
    sizes = (image['height'], image['width'])
    if not isinstance(image['file_name'], str) or not all(isinstance(size, int) and size > 0 for size in sizes):
        return (f'has file_name={image["file_name"]!r:.80}, height={sizes[0]!r:.80}, width={sizes[1]!r:.80}, but needs '
                f'a name and two positive integers')
    return None


def _fault_of_keys(entry: Any, wanted: Sequence[str]) -> Optional[str]:
    missing = [key for key in wanted if key not in entry] if isinstance(entry, dict) else wanted
    return f'lacks {", ".join(missing)}' if missing else None


def _fault_of_id(entry: dict) -> Optional[str]:
    return None if is_id(entry['id']) else f'has id={entry["id"]!r:.80}, but ids are numbers or strings'


def is_id(value: Any) -> bool:
    """Whether a value may be an id in these files: a whole number or a string."""
    return isinstance(value, (int, str))


def _as_list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, (list, tuple)) else [value]
