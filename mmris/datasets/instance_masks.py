"""Masks of instances that a segmenter found, from a COCO results file."""

import os
from functools import partial
from typing import AbstractSet, Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from mmris.utils.finite import is_finite_number
from mmris.utils.ids import Id, describe_id_difference, read_id
from mmris.utils.memory import gc_paused
from mmris.utils.text import shorten

from .data_files import read_json
from .masks import check_segmentation, decode_segmentation
from .problems import SHORT_POLYGON, Problem, ProblemTally, Report, raise_problem

# Low: a model need not choose a mask that is none, but cannot choose one that it was not given.
MIN_SCORE = 0.3
MAX_INSTANCES = 32

# Kind of the problem that the file lacks an image.
NO_RESULTS = 'image without results'

_DEFAULTS = dict(min_score=MIN_SCORE, max_instances=MAX_INSTANCES, problems='raise')
_SKIP = ('Or set problems=\'skip\' in instance_masks of the data set: such masks are left out, and an image that the '
         'file lacks has none.')
# Takes the place of a result that is not wanted, as soon as it is read: most of the file.
_DROPPED = object()


def read_instance_masks(path: str,
                        *,
                        min_score: float = MIN_SCORE,
                        max_instances: int = MAX_INSTANCES,
                        image_ids: Optional[AbstractSet[Any]] = None,
                        report: Report = raise_problem) -> Dict[Any, List[dict]]:
    """Read a COCO results file: a JSON list of ``{image_id, score, segmentation, ...}``, as mmdet writes it.

    Args:
        path (str): The file.
        min_score (float): Less sure ones are left out, in [0, 1]. Defaults to 0.3.
        max_instances (int): The most of an image, the surest ones; of equally sure ones those that come first in the
            file. Defaults to 32.
        image_ids (Set, optional): Images that are wanted; entries of others are not even checked. Defaults to None:
            all.
        report (Callable): Told of each malformed entry, which is left out. Defaults to one that raises.

    Returns:
        dict[int or str, list[dict]]: By the image's id, ``{segmentation, score}`` of each instance, surest first. An
        image that the file mentions has an entry, though none of its instances be sure enough. Segmentations are as
        they are in the file: what decodes them, or knows the image's size, checks them.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not a whole JSON file, or no list.
        ValueError: If ``min_score`` or ``max_instances`` is out of range.
        ValueError: By default, if an entry is malformed; the message names file and entry.
    """
    _check_limits(min_score, max_instances)
    found, _ = _read_results(path, min_score, image_ids, report)
    return {image: results[:max_instances] for image, results in found.items()}


def _read_results(path: str, min_score: float, image_ids: Optional[AbstractSet[Any]],
                  report: Report) -> Tuple[Dict[Id, List[dict]], Optional[Id]]:
    """As :func:`read_instance_masks`, all that are sure enough; and the id of an image that is not wanted."""
    if not os.path.isfile(path):
        raise FileNotFoundError(
            f'{path} (instance masks: a COCO results file) is missing. docs/instance_masks.md says how a segmenter '
            f'writes it; set instance_masks.file of the data set to where it lies, below data_root. A ShapeRef that '
            f'lacks it is of an earlier version: make_shaperef.py --overwrite makes it again.')
    found: Dict[Id, List[dict]] = {}
    others: List[Id] = []
    with gc_paused():
        entries = read_json(path, _make_result_filter(min_score, image_ids, found, others))
        if not isinstance(entries, list):
            raise ValueError(
                f'{path} holds a {type(entries).__name__}, but a COCO results file is a list of results with image_id, '
                f'score and segmentation (of mmdet it is the file that ends in .segm.json).')
        for entry in _valid_results(entries, path, report):
            found[entry['image_id']].append(dict(segmentation=entry['segmentation'], score=entry['score']))
    surest = {image: sorted(one, key=lambda result: -result['score']) for image, one in found.items()}
    return surest, others[0] if others else None


def decode_instances(instances: Sequence[Mapping], height: int, width: int, *, name: str) -> np.ndarray:
    """Decode the instances of one image.

    Args:
        instances (Sequence[dict]): ``{segmentation, ...}`` of each.
        height (int): Of the image in pixels.
        width (int): Of the image in pixels.
        name (str): What the image is called in an error, such as its path.

    Returns:
        ndarray: ``(K, height, width)`` uint8 of 0 and 1; K may be 0.

    Raises:
        ValueError: If a segmentation is malformed, or of another size; the message names the image.
    """
    masks = np.empty((len(instances), height, width), dtype=np.uint8)
    for number, instance in enumerate(instances):
        try:
            decode_segmentation(instance['segmentation'], height, width, out=masks[number])
        except ValueError as error:
            raise ValueError(f'Instance mask {number + 1} of {name} is malformed: {error}. Run the segmenter on this '
                             f'very image, at its own size.') from error
    return masks


def sample_masks(info: Mapping) -> Optional[np.ndarray]:
    """The instance masks of a sample of a data set.

    Args:
        info (dict): As ``RefCOCODataset.get_data_info`` gives it.

    Returns:
        ndarray, optional: ``(K, H0, W0)`` uint8 of 0 and 1. None if the data set has no instance masks.

    Raises:
        ValueError: See :func:`decode_instances`.
    """
    if 'instances' not in info:
        return None
    return decode_instances(info['instances'], info['height'], info['width'], name=info['img_path'])


def complete_settings(settings: Mapping[str, Any]) -> Dict[str, Any]:
    """Check what a data set is told of its instance masks, and fill in what is left out.

    Args:
        settings (dict): ``file`` and, by choice, ``min_score``, ``max_instances``, ``problems``.

    Returns:
        dict: All four.

    Raises:
        ValueError: If ``file`` is not named, or a key is that there is not, or a value is out of range.
    """
    if not isinstance(settings, Mapping) or not isinstance(settings.get('file'), str):
        raise ValueError(f'instance_masks must name a COCO results file below data_root, such as '
                         f'dict(file=\'instance_masks.json\'), but got {settings!r:.80}.')
    unknown = sorted(set(settings) - {'file', *_DEFAULTS})
    if unknown:
        raise ValueError(f'instance_masks takes file, {", ".join(_DEFAULTS)}, but got {", ".join(unknown)}.')
    complete = {**_DEFAULTS, **settings}
    if complete['problems'] not in ('raise', 'skip'):
        raise ValueError(f'problems of instance_masks must be \'raise\' or \'skip\', but got {complete["problems"]!r}.')
    _check_limits(complete['min_score'], complete['max_instances'])
    return complete


def add_instances(images: Sequence[dict], settings: Mapping[str, Any], data_root: str) -> List[dict]:
    """Give images the instances that were found on them.

    Args:
        images (Sequence[dict]): With ``img_id, img_path, height, width``.
        settings (dict): All that :func:`complete_settings` names.
        data_root (str): Folder that ``file`` lies below.

    Returns:
        list[dict]: The images with ``instances``, ``{segmentation, score}`` of each, surest first.

    Raises:
        FileNotFoundError, ValueError: See :func:`read_instance_masks`.
        ValueError: If ``problems`` is ``'raise'`` and the file lacks an image, or a mask is malformed or of another
            size than its image. With ``'skip'`` such masks are left out, before the surest are chosen, such images
            have none, and a warning a kind tells how many there are.
    """
    tally, repairs = ProblemTally(), ProblemTally()
    report = partial(raise_problem, advice=_SKIP) if settings['problems'] == 'raise' else tally.report
    settings = dict(settings, file=os.path.join(data_root, settings['file']))
    images = look_up_instances(images, settings, report, repairs)
    tally.warn(settings['file'])
    repairs.warn(settings['file'], 'repaired')
    return images


def look_up_instances(images: Sequence[dict], settings: Mapping[str, Any], report: Report,
                      repairs: ProblemTally) -> List[dict]:
    """As :func:`add_instances`, but ``file`` is a whole path, each problem goes to ``report``, and what is mended
    without a loss to ``repairs``."""
    image_ids = {image['img_id'] for image in images}
    found, other = _read_results(settings['file'], settings['min_score'], image_ids, report)
    with gc_paused():
        with_instances = []
        for image in images:
            if image['img_id'] not in found:
                report(_without_results(image, settings['file'], other))
            results = found.get(image['img_id'], ())
            instances = _top_scoring_instances(image, results, settings, report, repairs)
            with_instances.append(dict(image, instances=instances))
        return with_instances


def _without_results(image: dict, path: str, other: Optional[Id]) -> Problem:
    one = image['img_id']
    difference = describe_id_difference(one, other)
    return Problem(
        NO_RESULTS, f'image {one}', f'{path} has no result for image {one} ({image["img_path"]}): it was made of other '
        f'images, or nothing was found on this one, which such a file cannot tell apart.'
        f'{f" {difference}." if difference else ""} Run the segmenter on all images of the set.')


def _top_scoring_instances(image: dict, found: Sequence[dict], settings: Mapping[str, Any], report: Report,
                           repairs: ProblemTally) -> List[dict]:
    """As many whole instances as are wanted; less sure ones are not checked."""
    whole = []
    for number, instance in enumerate(found, 1):
        if len(whole) == settings['max_instances']:
            break
        try:
            short = check_segmentation(instance['segmentation'], image['height'], image['width'])
        except ValueError as error:
            report(
                _problem_of_mask('malformed instance mask', f'is malformed: {error}. Run the segmenter on these very '
                                 f'images, at their own size.', number, instance, image, settings['file']))
            continue
        whole.append(instance)
        if short:
            repairs.report(
                _problem_of_mask(SHORT_POLYGON, f'has {short} beside good ones; they are left out.', number, instance,
                                 image, settings['file']))
    return whole


def _problem_of_mask(kind: str, fault: str, number: int, instance: dict, image: dict, path: str) -> Problem:
    return Problem(
        kind, f'mask {number} of image {image["img_id"]}', f'{path}: an instance mask of image {image["img_id"]} '
        f'({image["img_path"]}, score {instance["score"]}) {fault}')


def _make_result_filter(min_score: float, image_ids: Optional[AbstractSet[Id]], found: Dict[Id, List[dict]],
                        others: List[Id]) -> Callable:
    """What keeps results that are wanted, or have a fault, while the file is read; notes the images it mentions."""

    def filter_result(entry: dict) -> Any:
        image_id = read_id(entry.get('image_id'))
        if image_id is None:
            return entry
        if image_ids is not None and image_id not in image_ids:
            if not others:
                others.append(image_id)
            return _DROPPED
        found.setdefault(image_id, [])
        if not is_finite_number(entry.get('score')):
            return entry
        if entry['score'] < min_score:
            return _DROPPED
        return dict({key: entry[key] for key in ('score', 'segmentation') if key in entry}, image_id=image_id)

    return filter_result


def _valid_results(entries: Sequence[Any], path: str, report: Report) -> Iterator[dict]:
    """Those without a fault that the filter kept; faulty ones are reported."""
    for position, entry in enumerate(entries):
        if entry is _DROPPED:
            continue
        fault = _fault_of_result(entry)
        if fault is None:
            yield entry
        else:
            place = f'the result at position {position}'
            report(Problem('malformed result', place, f'{path}: {place} {fault}. Make the file again.'))


def _fault_of_result(entry: Any) -> Optional[str]:
    if not isinstance(entry, dict):
        return f'is {shorten(entry)} instead of a dict with image_id, score and segmentation'
    if read_id(entry.get('image_id')) is None:
        return f'has image_id={shorten(entry.get("image_id"))}, but ids are whole numbers or text'
    if not is_finite_number(entry.get('score')):
        return f'has score={shorten(entry.get("score"))}, but a score is a finite number'
    if 'segmentation' not in entry:
        return ('lacks segmentation: boxes alone are no masks (mmdet writes them to a file of their own, which ends in '
                '.segm.json)')
    return None


def _check_limits(min_score: Any, max_instances: Any) -> None:
    if not is_finite_number(min_score) or not 0 <= min_score <= 1:
        raise ValueError(f'min_score of instance masks must be a number from 0 to 1, but got {min_score!r}.')
    if not isinstance(max_instances, int) or max_instances < 1:
        raise ValueError(f'max_instances must be an integer of at least 1, but got {max_instances!r}.')
