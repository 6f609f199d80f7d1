"""A set as it is before it is written: without broken entries, with numbers as ids, boxes and areas."""

from collections import Counter
from dataclasses import replace
from typing import Any, Callable, Dict, Iterable, List, Mapping, Sequence

import numpy as np
from pycocotools import mask as coco_mask

from mmris.datasets.masks import decode_segmentation
from mmris.datasets.problems import Problem, Report
from mmris.datasets.refer_files import Entries, ReferFiles, target_annotation_ids
from mmris.datasets.referred_images import Reading, select_whole
from mmris.utils.ids import Id


def prepare_set(files: ReferFiles, reading: Reading, *, progress: Callable[[Sequence], Iterable] = iter) -> ReferFiles:
    """Leave out what is broken, decode each mask, and complete what writers need.

    Args:
        files (ReferFiles): The set.
        reading (Reading): How it is read; its ``report`` gets what is left out.
        progress (Callable): Gets the list of annotations and iterates over it, to show progress. Default: ``iter``.

    Returns:
        ReferFiles: The refs without a fault, with the annotations and images that they point to. Refs have
        ``ref_id, image_id, ann_id`` (an integer, or a list of them if there is not exactly one target),
        ``category_id`` (of the first target), ``split, file_name, sent_ids`` and ``sentences``, each with
        ``sent_id, sent, raw, tokens`` and its ``skills``, if it has any. Annotations have
        ``bbox, area, iscrowd, category_id``. Ids that are text, or that repeat where they must not, are numbered
        from 1 on.
    """
    files = replace(files, refs=[_complete_sentences(ref) for ref in files.refs])
    kept = [dict(ref, sentences=_keep(ref, sentences)) for ref, sentences in select_whole(files.refs, files, reading)]
    annotations = {one: files.annotations.whole[one] for ref in kept for one in target_annotation_ids(ref)}
    measured: Dict[Id, dict] = {}
    for annotation in progress(list(annotations.values())):
        image = files.images.whole[annotation['image_id']]
        measured[annotation['id']] = _measure(annotation, image['height'], image['width'])
    refs = [ref for ref in kept if _covers_pixels(ref, measured, reading.report)]
    return _number(files, refs, measured)


def _complete_sentences(ref: dict) -> dict:
    """Give each sentence both texts: other readers expect ``sent``, in lower case, and ``raw``, as it was typed."""
    sentences = []
    for sentence in ref['sentences']:
        sent, raw = sentence.get('sent'), sentence.get('raw')
        if sent is None and isinstance(raw, str):
            sent = ' '.join(raw.lower().split())
        tokens = sentence.get('tokens') or (sent.split() if isinstance(sent, str) else [])
        sentences.append(dict(sentence, sent=sent, raw=sent if raw is None else raw, tokens=tokens))
    return dict(ref, sentences=sentences)


def _keep(ref: dict, whole: Sequence[dict]) -> List[dict]:
    ids = {sentence['sent_id'] for sentence in whole}
    return [sentence for sentence in ref['sentences'] if sentence['sent_id'] in ids]


def _measure(annotation: dict, height: int, width: int) -> dict:
    """Give an annotation the box and area of its mask, unless it has them, and its area for certain."""
    mask = decode_segmentation(annotation['segmentation'], height, width)
    box = coco_mask.toBbox(coco_mask.encode(np.asfortranarray(mask))).tolist()
    return dict(
        annotation,
        segmentation=_as_text(annotation['segmentation']),
        bbox=annotation.get('bbox', box),
        area=annotation.get('area', int(mask.sum())),
        pixels=int(mask.sum()),
        iscrowd=annotation.get('iscrowd', 0),
        category_id=annotation.get('category_id', 1))


def _as_text(segmentation: Any) -> Any:
    """Make a segmentation that JSON can hold: pycocotools gives the counts of an RLE as bytes."""
    if isinstance(segmentation, dict):
        counts = segmentation['counts']
        return dict(segmentation, counts=counts.decode('ascii') if isinstance(counts, bytes) else counts)
    return [_as_text(part) if isinstance(part, dict) else list(part) for part in segmentation]


def _covers_pixels(ref: dict, measured: Mapping[Id, dict], report: Report) -> bool:
    targets = target_annotation_ids(ref)
    # A ref without annotations is one of no target, and means it.
    if not targets or any(measured[one]['pixels'] for one in targets):
        return True
    report(Problem('empty mask', f'ref {ref["ref_id"]}', f'The mask of ref {ref["ref_id"]} covers no pixel.'))
    return False


def _number(files: ReferFiles, refs: Sequence[dict], annotations: Mapping[Id, dict]) -> ReferFiles:
    used = {one: annotations[one] for ref in refs for one in target_annotation_ids(ref)}
    images = {ref['image_id']: files.images.whole[ref['image_id']] for ref in refs}
    image_ids, annotation_ids = _numbers(images), _numbers(used)
    ref_ids = _numbers_of_all([ref['ref_id'] for ref in refs])
    sent_ids = iter(_numbers_of_all([one['sent_id'] for ref in refs for one in ref['sentences']]))
    numbered = []
    for ref_id, ref in zip(ref_ids, refs):
        targets = [annotation_ids[one] for one in target_annotation_ids(ref)]
        sentences = [dict(sentence, sent_id=next(sent_ids)) for sentence in ref['sentences']]
        categories = [used[one]['category_id'] for one in target_annotation_ids(ref)]
        numbered.append(dict(
            {key: value for key, value in ref.items() if key != 'target_boxes'},
            ref_id=ref_id,
            image_id=image_ids[ref['image_id']],
            ann_id=targets[0] if len(targets) == 1 else targets,
            category_id=categories[0] if categories else 0,
            file_name=images[ref['image_id']]['file_name'],
            sent_ids=[sentence['sent_id'] for sentence in sentences],
            sentences=sentences))
    return replace(
        files,
        refs=numbered,
        splits=[split for split in files.splits if any(ref['split'] == split for ref in numbered)],
        annotations=_entries({
            annotation_ids[one]: dict(
                {key: value for key, value in entry.items() if key != 'pixels'},
                id=annotation_ids[one], image_id=image_ids[entry['image_id']])
            for one, entry in used.items()}),
        images=_entries({image_ids[one]: dict(entry, id=image_ids[one]) for one, entry in images.items()}))


def _entries(whole: Dict[Id, dict]) -> Entries:
    return Entries(whole, {}, [])


def _numbers(ids: Iterable[Id]) -> Dict[Id, int]:
    ids = list(ids)
    return dict(zip(ids, _numbers_of_all(ids)))


def _numbers_of_all(ids: Sequence[Id]) -> List[int]:
    """The ids, if all are numbers and none is there twice; otherwise numbers from 1 on."""
    if all(isinstance(one, int) for one in ids) and (not ids or max(Counter(ids).values()) == 1):
        return list(ids)
    return list(range(1, len(ids) + 1))
