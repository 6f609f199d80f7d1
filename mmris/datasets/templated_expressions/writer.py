"""Writing a detection set with sentences to a folder, in the files of the RefCOCO family."""

import json
import os
import pickle
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional, Union

from mmris.datasets.problems import ProblemTally, Report, raise_problem
from mmris.utils.folders import remove_leftovers, write_folder
from mmris.utils.ids import Id, read_id
from mmris.utils.json_files import JSON_ERRORS
from mmris.utils.text import shorten

from .eligibility import REASONS
from .nouns import noun_of
from .phrasing import describe, make_generator
from .reader import DetectionSet, read_detection_set, read_scene

FORMAT = 'templated expressions'
FORMAT_VERSION = 1
SETTINGS_FILE = 'expressions.json'
INSTANCES_FILE = 'instances.json'
REFS_FILE = 'refs(templates).p'
SPLITS = ('train', 'val', 'test')
SKILLS = ('category', 'place', 'size', 'relation')

_SECONDS_BETWEEN_REPORTS = 5.0


def write_expressions(instances: str,
                      out: Union[str, Path],
                      *,
                      seed: int = 0,
                      sentences_per_object: int = 3,
                      min_area: float = 0.01,
                      val_share: float = 0.1,
                      test_share: float = 0.0,
                      nouns: Optional[Mapping[str, Optional[str]]] = None,
                      bad_data: str = 'raise',
                      overwrite: bool = False) -> Dict[str, Any]:
    """Write ``instances.json``, ``refs(templates).p`` and ``expressions.json`` (the settings and the report).

    The folder appears only when it is complete. ``instances.json`` has the images with a ref, all their annotations,
    and the categories, as the given file has them. The files depend on the arguments alone.

    Args:
        instances (str): A file of COCO instances.
        out (str or Path): Folder to write; its parents are made.
        seed (int): Seed of the sentences and of the splits, >= 0. Default: 0.
        sentences_per_object (int): The most sentences of an object, >= 1. Default: 3.
        min_area (float): Share of the image below which an object gets no sentence, in [0, 1). Default: 0.01.
        val_share (float): Share of images in split val. Default: 0.1.
        test_share (float): Share of images in split test. The two shares are in [0, 1], and so is their sum.
            Default: 0.0.
        nouns (Mapping[str, str or None], optional): See :func:`.nouns.noun_of`. Default: None.
        bad_data (str): ``'raise'``: a malformed mask is an error. ``'skip'``: nothing is said of objects of its
            category in its image. Default: ``'raise'``.
        overwrite (bool): Replace what this function wrote to the folder before. Default: False.

    Returns:
        dict: What ``expressions.json`` holds: ``format``, ``format_version``, ``settings`` and ``summary``:
        ``images``, ``objects``, ``splits`` (each with ``images, refs, sentences, skills``), ``left_out`` (objects by
        reason), ``bad_data`` (objects skipped), ``names_without_noun`` (categories that occur).

    Raises:
        FileNotFoundError, ValueError: See :func:`.reader.read_detection_set`.
        ValueError: If an argument is not one of the above, or there is no sentence at all.
        FileExistsError: If the folder holds anything, and ``overwrite`` is false or it was not written by this.
    """
    settings = dict(
        instances=os.path.basename(instances), seed=seed, sentences_per_object=sentences_per_object,
        min_area=min_area, val_share=val_share, test_share=test_share, nouns=dict(nouns or {}), bad_data=bad_data)
    _check_settings(settings)
    out = Path(os.path.abspath(out))
    remove_leftovers(out)
    _check_folder(out, overwrite)
    detections = read_detection_set(instances)
    _check_nouns(nouns or {}, detections)
    tally = ProblemTally()
    left_out: Counter = Counter()
    report = raise_problem if bad_data == 'raise' else tally.report
    refs = list(make_refs(detections, settings, report=report, left_out=left_out))
    if not refs:
        counts = ', '.join(f'{count:,} ({reason})' for reason, count in left_out.most_common())
        raise ValueError(
            f'{instances}: no sentence fits any of its objects alone, so there is nothing to write. Objects left out: '
            f'{counts or "none, because the file has none"}. A lower min_area (--min-area) lets smaller objects in.')
    for line in tally.lines('skipped'):
        print(line, file=sys.stderr)
    summary = _summarise(detections, refs, left_out, tally, settings['nouns'])
    content = dict(format=FORMAT, format_version=FORMAT_VERSION, settings=settings, summary=summary)
    with write_folder(out) as folder:
        _write_files(folder, detections, refs, content)
    return content


def make_refs(detections: DetectionSet, settings: Mapping[str, Any], *, report: Report,
              left_out: Counter) -> Iterator[Dict[str, Any]]:
    """Make the refs of a detection set, image by image. It shows its progress if it takes long.

    Args:
        detections (DetectionSet): The set.
        settings (Mapping): ``seed, sentences_per_object, min_area, val_share, test_share, nouns``, as of
            :func:`write_expressions`.
        report (Callable): Gets each malformed mask (see :func:`.reader.read_scene`).
        left_out (Counter): Counts the objects without a sentence, by reason.

    Yields:
        dict: A ref as the files of the RefCOCO family have it, in plain containers, with ``skills`` of each sentence.
    """
    nouns = {name: noun_of(name, settings['nouns']) for name in detections.categories.values()}
    ref_id = sentence_id = 0
    for image in _show_progress(detections.images):
        scene = read_scene(detections, image, report)
        described = describe(
            scene, nouns, generator=make_generator(settings['seed'], image['id']),
            count=settings['sentences_per_object'], min_area=settings['min_area'])
        left_out.update(described.left_out.values())
        split = choose_split(settings, image['id'])
        categories = {one['id']: read_id(one['category_id']) for one in detections.annotations[image['id']]}
        for annotation_id, sentences in described.sentences.items():
            ids = range(sentence_id, sentence_id + len(sentences))
            yield dict(
                ref_id=ref_id, ann_id=annotation_id, image_id=image['id'], category_id=categories[annotation_id],
                split=split, file_name=image['file_name'], sent_ids=list(ids),
                sentences=[
                    dict(sent_id=one, sent=text, raw=text, tokens=text.split(), skills=skills)
                    for one, (text, skills) in zip(ids, sentences)
                ])
            ref_id, sentence_id = ref_id + 1, sentence_id + len(sentences)


def choose_split(settings: Mapping[str, Any], image_id: Id) -> str:
    """Choose the split of an image, a function of seed, shares and id: a larger file moves no image."""
    # Sentences are drawn from a stream of their own, so shares change no sentence.
    chance = make_generator(settings['seed'], f'split of {image_id!r}').random()
    if chance < settings['test_share']:
        return 'test'
    return 'val' if chance < settings['test_share'] + settings['val_share'] else 'train'


def _check_settings(settings: Mapping[str, Any]) -> None:
    for name, least in (('seed', 0), ('sentences_per_object', 1)):
        value = settings[name]
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise ValueError(f'{name} must be an integer of at least {least}, but got {value!r}.')
    if not 0 <= settings['min_area'] < 1:
        raise ValueError(f'min_area is a share of the image in [0, 1), but got {settings["min_area"]!r}.')
    shares = settings['val_share'], settings['test_share']
    if not (min(shares) >= 0 and sum(shares) <= 1):
        raise ValueError('val_share and test_share are shares of the images of at least 0, together no more than 1, '
                         f'but got {shares[0]!r} and {shares[1]!r}.')
    if settings['bad_data'] not in ('raise', 'skip'):
        raise ValueError(f"bad_data must be 'raise' or 'skip', but got {settings['bad_data']!r}.")


def _check_nouns(nouns: Mapping[str, Any], detections: DetectionSet) -> None:
    names = set(detections.categories.values())
    for name, noun in nouns.items():
        if name not in names:
            raise ValueError(f'nouns: {shorten(name)} is no category of {detections.path}. Categories there: '
                             f'{", ".join(sorted(names)[:10])}{", ..." if len(names) > 10 else ""}.')
        if noun is not None and not (isinstance(noun, str) and noun and noun == ' '.join(noun.split())):
            raise ValueError(f'nouns: the noun of {shorten(name)} must be text without spaces at its ends, or null to '
                             f'leave the category out, but got {shorten(noun)}.')


def _check_folder(out: Path, overwrite: bool) -> None:
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    try:
        content = json.loads((out / SETTINGS_FILE).read_text(encoding='utf-8'))
        is_ours = content.get('format') == FORMAT
    except (OSError, *JSON_ERRORS, AttributeError):
        is_ours = False
    if not is_ours:
        raise FileExistsError(f'{out} holds something other than a set of this tool, which --overwrite '
                              '(overwrite=True) does not replace. Name another folder, or remove this one yourself.')
    if not overwrite:
        raise FileExistsError(f'{out} already holds a set of this tool. Name another folder, or pass --overwrite '
                              '(overwrite=True) to replace it.')


def _write_files(folder: Path, detections: DetectionSet, refs: List[dict], content: Dict[str, Any]) -> None:
    wanted = {ref['image_id'] for ref in refs}
    instances = {
        'info': {'description': f'Images of {content["settings"]["instances"]} with templated expressions'},
        'licenses': detections.content.get('licenses', []),
        'images': [image for image in detections.content['images'] if read_id(image['id']) in wanted],
        'annotations': [one for one in detections.content['annotations'] if read_id(one['image_id']) in wanted],
        'categories': detections.content['categories'],
    }
    (folder / INSTANCES_FILE).write_text(json.dumps(instances), encoding='utf-8')
    # A pickle also says which equal strings are one object in memory. Through JSON that becomes a function of the
    # content, and so do the bytes.
    refs = json.loads(json.dumps(refs))
    (folder / REFS_FILE).write_bytes(pickle.dumps(refs, protocol=2))
    (folder / SETTINGS_FILE).write_text(json.dumps(content, indent=2), encoding='utf-8')


def _summarise(detections: DetectionSet, refs: List[dict], left_out: Counter, tally: ProblemTally,
               nouns: Mapping[str, Optional[str]]) -> Dict[str, Any]:
    used = {detections.categories[read_id(one['category_id'])] for of in detections.annotations.values() for one in of}
    splits = {}
    for split in SPLITS:
        of_split = [ref for ref in refs if ref['split'] == split]
        sentences = [sentence for ref in of_split for sentence in ref['sentences']]
        skills = Counter(skill for sentence in sentences for skill in sentence['skills'])
        splits[split] = dict(
            images=len({ref['image_id'] for ref in of_split}), refs=len(of_split), sentences=len(sentences),
            skills={skill: skills[skill] for skill in SKILLS})
    return dict(
        images=len(detections.images),
        objects=sum(map(len, detections.annotations.values())),
        splits=splits,
        left_out={reason: left_out[reason] for reason in REASONS},
        bad_data=sum(tally.counts.values()),
        names_without_noun=sorted(name for name in used if noun_of(name, nouns) is None))


def _show_progress(images: List[dict]) -> Iterator[dict]:
    """Pass images on, and print now and then how far it is and how long it will take."""
    start = reported = time.monotonic()
    for done, image in enumerate(images):
        now = time.monotonic()
        if now - reported >= _SECONDS_BETWEEN_REPORTS:
            reported = now
            left = (now - start) / done * (len(images) - done)
            print(f'{done:,}/{len(images):,} images, {done / (now - start):.0f} a second, {left:.0f} s to go',
                  file=sys.stderr, flush=True)
        yield image
