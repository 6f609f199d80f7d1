"""The content of a set, whatever form it is held in: whether each entry is whole."""

import os
from dataclasses import dataclass, field
from typing import Any, Dict, Iterator, List, Optional, Sequence, Set, Tuple

from mmris.utils.ids import Id, read_id, read_whole_number
from mmris.utils.text import to_well_formed

from .data_files import read_json
from .entry_faults import (
    as_list,
    fault_of_id,
    fault_of_image,
    fault_of_keys,
    fault_of_ref,
    fault_of_sentence,
    fault_of_sentences,
    fault_of_split,
    read_targets,
)
from .problems import Problem, ProblemTally, Report, raise_problem
from .readers import Content, RawRef, describe_other_form, describe_value, find_files, read_content
from .readers.mdetr import MDETR


@dataclass(frozen=True)
class Entries:
    """The entries of one list of an annotation file, by their ids.

    Attributes:
        whole (dict[int or str, dict]): Those without a fault.
        faulty (dict[int or str, Problem]): What is wrong with each of the others.
        nameless (list[Problem]): Faults of entries to which no id can point.
    """

    whole: Dict[Id, dict]
    faulty: Dict[Id, Problem]
    nameless: List[Problem]

    @property
    def problems(self) -> Iterator[Problem]:
        """Iterator[Problem]: All faults."""
        yield from self.nameless
        yield from self.faulty.values()


@dataclass(frozen=True)
class ReferFiles:
    """The content of a set in the terms of the REFER files, with ids that are equal if their values are.

    Attributes:
        refs (list[dict]): The refs of the split asked for, or all.
        splits (list[str]): The splits that one can ask for.
        annotations (Entries): COCO annotations; of those that none of the refs points to, ids alone.
        images (Entries): COCO images.
        categories (list[dict]): COCO categories, as they are in the file.
        refs_path (str): Where the refs are from, for messages.
        instances_path (str): Where annotations and images are from, for messages.
        left_out (ProblemTally): What the files hold and no ref stands for, by its kind. Default: nothing.
    """

    refs: List[dict]
    splits: List[str]
    annotations: Entries
    images: Entries
    categories: List[dict]
    refs_path: str
    instances_path: str
    left_out: ProblemTally = field(default_factory=ProblemTally)


def read_refer_files(instances_path: str,
                     refs_path: str,
                     *,
                     image_folder: Optional[str] = None,
                     split: Optional[str] = None,
                     report: Report = raise_problem) -> ReferFiles:
    """Read a set.

    Args:
        instances_path (str): ``instances.json``, COCO instance annotations. It is not read if the masks are in the
            files of ``refs_path``.
        refs_path (str): ``refs(unc).p`` and the like, or a file, folder or pattern of another form (see
            :mod:`mmris.datasets.readers`).
        image_folder (str, optional): The images' folder. Default: None, not known.
        split (str, optional): The split whose refs are wanted (see :func:`is_in_split`). Default: None, all.
        report (Callable): Gets each fault of a wanted ref; the ref, or the sentence, is left out. Default: raise it.
            Faults of images and annotations are kept for whoever needs the entry.

    Returns:
        ReferFiles: Their content.

    Raises:
        FileNotFoundError: If one is missing; the message says what it is and how sets are laid out.
        ValueError: If one is not such a file, is not whole, or holds more than plain data.
        ValueError: By default, if a wanted ref is malformed; the message names file and ref.
    """
    if not find_files(refs_path):
        raise _missing(refs_path, 'the referring expressions')
    content, splits = read_content(
        refs_path,
        splits=None if split is None else [split],
        instances_path=instances_path,
        image_folder=image_folder)
    return check_content(content, splits, instances_path=instances_path, refs_path=refs_path, report=report)


def check_content(content: Content, splits: Sequence[str], *, instances_path: str, refs_path: str,
                  report: Report = raise_problem) -> ReferFiles:
    """Check each ref of a set, and read its annotations if they are in a file of their own.

    Args:
        content (Content): What a reader made of the files.
        splits (Sequence[str]): The splits that one can ask for.
        instances_path (str), refs_path (str), report (Callable): See :func:`read_refer_files`.

    Returns:
        ReferFiles: The set.

    Raises:
        FileNotFoundError, ValueError: See :func:`read_refer_files`.
    """
    refs = [ref for one in content.refs if (ref := _read_ref(one, report)) is not None]
    instances, masks_path = content.instances, refs_path
    if instances is None:
        masks_path = instances_path
        instances = _read_instances(instances_path, {one for ref in refs for one in target_annotation_ids(ref)})
    categories = instances.get('categories')
    return ReferFiles(
        refs=refs,
        splits=list(splits),
        annotations=index_entries(instances['annotations'], 'annotations', masks_path),
        images=index_entries(instances['images'], 'images', masks_path),
        categories=categories if isinstance(categories, list) else [],
        refs_path=refs_path,
        instances_path=masks_path,
        left_out=content.left_out)


def _missing(path: str, what: str) -> FileNotFoundError:
    made = '' if 'shaperef' not in path.lower() else ' ShapeRef is made by: mmris make_shaperef.'
    return FileNotFoundError(
        f'{path} ({what}) is missing.{made} A set is a folder with instances.json and refs(<by>).p, as published; set '
        f'data_root, ann_file and refs_file to where yours lies. docs/data.md says how to get it, and '
        f'docs/data_forms.md which other forms are read.')


def read_ref_images(path: str, splits: Sequence[str]) -> Tuple[List[Tuple[Id, Any]], List[str]]:
    """Read which images the refs of some splits are on, whatever else is wrong with them.

    Args:
        path (str): The refs file, or files of another form.
        splits (Sequence[str]): The splits.

    Returns:
        tuple[list[tuple], list[str]]: For each ref the id of its image and what it has as ``file_name`` (None if
        nothing), and the splits that one can ask for.

    Raises:
        FileNotFoundError, ValueError: See :func:`read_refer_files`.
        ValueError: If a ref does not say which image it is on, or of which split it is.
    """
    content, there = read_content(path, splits=splits, with_masks=False)
    images = []
    for one in content.refs:
        ref = one.ref
        fault = fault_of_keys(ref, ('image_id', 'split')) or fault_of_id(ref, 'image_id') or fault_of_split(ref)
        if fault is not None:
            _report_entry(one, one.place, one.fault or fault, raise_problem)
        images.append((read_id(ref['image_id']), ref.get('file_name')))
    return images, there


def target_annotation_ids(ref: dict) -> List[Id]:
    """Ids of the annotations whose union a ref points to: one in RefCOCO, several or none in gRefCOCO."""
    return list(as_list(ref['ann_id']))


def _read_ref(one: RawRef, report: Report) -> Optional[dict]:
    """A ref with its whole sentences; None, and a report, if it is malformed."""
    ref = one.ref
    fault = one.fault or fault_of_ref(ref)
    if fault is not None:
        _report_entry(one, one.place, fault, report)
        return None
    ids = read_targets(ref)
    ref = dict(
        ref,
        ref_id=read_id(ref['ref_id']),
        image_id=read_id(ref['image_id']),
        ann_id=ids if isinstance(ref['ann_id'], (list, tuple)) or not ids else ids[0],
        split=to_well_formed(ref['split']))
    fault = fault_of_sentences(ref['sentences'])
    if fault is not None:
        _report_entry(one, f'ref {ref["ref_id"]}', fault, report)
        return None
    sentences = []
    for number, sentence in enumerate(ref['sentences']):
        fault = fault_of_sentence(sentence)
        if fault is None:
            sentences.append(dict(sentence, sent_id=read_id(sentence['sent_id'])))
        else:
            _report_entry(one, f'sentence at position {number} of ref {ref["ref_id"]}', fault, report)
    return dict(ref, sentences=sentences) if sentences else None


def _report_entry(one: RawRef, place: str, fault: str, report: Report) -> None:
    report(Problem('malformed entry', place, f'{one.path}: {place} {fault}.'))


def _read_instances(path: str, wanted: Set[Id]) -> Dict[str, list]:
    if not os.path.exists(path):
        raise _missing(path, 'COCO instance annotations')
    fault = describe_other_form(path)
    if fault is not None:
        raise ValueError(f'{path} is not a COCO annotation file. {fault}')

    def drop_unreferred_outlines(entry: dict) -> dict:
        # Three of four annotations are of objects that no ref points to. Their outlines, most of the file, go as soon
        # as they are read.
        if not {'segmentation', 'image_id'} <= entry.keys() or read_id(entry.get('id')) in wanted:
            return entry
        return {key: entry[key] for key in ('id', 'image_id') if key in entry}

    instances = read_json(path, drop_unreferred_outlines)
    kinds = ('images', 'annotations')
    if not isinstance(instances, dict) or not all(isinstance(instances.get(kind), list) for kind in kinds):
        raise ValueError(f'{path} is not a COCO annotation file: it needs lists of `images` and `annotations`. '
                         f'{describe_value(instances)}'.rstrip())
    if MDETR.recognise(instances):
        raise ValueError(f'{path} is {MDETR.title}, which has no masks. Name it as the refs file (refs_file, '
                         f'--refs-file), and as annotation file (ann_file, --ann-file) the instances.json of the same '
                         f'set, or COCO\'s instances_train2014.json.')
    return instances


def index_entries(entries: Sequence[Any], kind: str, path: str) -> Entries:
    """Sort the ``'images'`` or ``'annotations'`` of a file by their ids. What is wrong with one goes to its problem."""
    if kind == 'images':
        fault_of, normalise = fault_of_image, _normalise_image
    else:
        fault_of, normalise = lambda entry: None, _normalise_annotation
    found = Entries({}, {}, [])
    for position, entry in enumerate(entries):
        place = f'the entry at position {position} of `{kind}`'
        fault = fault_of_keys(entry, ('id', )) or fault_of_id(entry, 'id')
        if fault is not None:
            found.nameless.append(Problem('malformed entry', place, f'{path}: {place} {fault}.'))
            continue
        one = read_id(entry['id'])
        fault = fault_of(entry)
        if fault is not None:
            found.faulty.setdefault(one, Problem('malformed entry', place, f'{path}: {place} {fault}.'))
            continue
        entry = normalise(entry, one)
        if found.whole.setdefault(one, entry) != entry:
            found.faulty[one] = Problem(
                'duplicate id', f'{kind[:-1]} {one}', f'{path}: two different entries of `{kind}` have id {one}. Give '
                f'one another id, or remove it.')
    for one in found.faulty:
        found.whole.pop(one, None)
    return found


def _normalise_image(image: dict, one: Id) -> dict:
    # A size that is not given is read from the image's file, if a ref is on it.
    return dict(image, id=one, **{side: read_whole_number(image.get(side)) for side in ('height', 'width')})


def _normalise_annotation(annotation: dict, one: Id) -> dict:
    image_id = annotation.get('image_id')
    # One that is no id stays as it is, for the message.
    known = read_id(image_id)
    image_id = image_id if known is None else known
    if annotation['id'] is one and annotation.get('image_id') is image_id:
        return annotation
    return dict(annotation, id=one, image_id=image_id)
