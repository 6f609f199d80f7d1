"""Images with the objects that refs point to, and what is wrong with them: rules of the data set and of its check."""

from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Set, Tuple

import numpy as np

from mmris.utils.ids import Id, describe_id_difference
from mmris.utils.text import shorten, to_well_formed

from .image_files import exists, image_path, read_image_size
from .masks import check_segmentation, union_of_segmentations
from .problems import SHORT_POLYGON, Problem, ProblemTally, Report
from .refer_files import Entries, ReferFiles, target_annotation_ids

HALF_CHARACTERS = 'half characters'


@dataclass(frozen=True)
class Reading:
    """How refs are read.

    Attributes:
        image_folder (str, optional): Where the image files are. None: they are not looked up.
        text_field (str): ``'sent'`` or ``'raw'``.
        report (Callable): Gets each problem of a ref or a sentence, which is left out.
        repairs (ProblemTally): Gets what is mended and costs nothing: polygons of under three points beside good
            ones are left out, half characters in sentences replaced.
        unique_ids (bool): Whether sentences whose pair of ids was there before are reported, as scores need it.
            Default: False.
    """

    image_folder: Optional[str]
    text_field: str
    report: Report
    repairs: ProblemTally
    unique_ids: bool = False


def collect_images(refs: Sequence[dict], files: ReferFiles, reading: Reading) -> List[dict]:
    """Gather refs by their images.

    Args:
        refs (Sequence[dict]): Refs of ``files``.
        files (ReferFiles): Their annotations and images.
        reading (Reading): How they are read.

    Returns:
        list[dict]: An entry per image: ``img_id, img_path, height, width``, ``objects``, for each the list of its COCO
        segmentations, and ``expressions``, each with ``text, ref_id, sent_id, skills`` and its ``target``, an index
        into the objects. Where annotations have pixels to ignore, also ``ignored``: for each object the list of their
        RLEs, which may be empty.
    """
    images: Dict[Id, dict] = {}
    positions: Dict[tuple, int] = {}
    for ref, sentences in select_whole(refs, files, reading):
        image = images.setdefault(ref['image_id'], _image(files.images.whole[ref['image_id']], reading.image_folder))
        # Two refs may point to one object.
        key = (ref['image_id'], *target_annotation_ids(ref))
        if key not in positions:
            positions[key] = len(image['objects'])
            _add_object(image, [files.annotations.whole[one] for one in target_annotation_ids(ref)])
        image['expressions'] += [dict(sentence, ref_id=ref['ref_id'], target=positions[key]) for sentence in sentences]
    return list(images.values())


def _add_object(image: dict, annotations: Sequence[dict]) -> None:
    image['objects'].append([one['segmentation'] for one in annotations])
    ignored = [one['ignored'] for one in annotations if _has_ignored(one)]
    if ignored or 'ignored' in image:
        before = image.setdefault('ignored', [[] for _ in image['objects'][1:]])
        before.append(ignored)


def _has_ignored(annotation: dict) -> bool:
    # Other sets may have a flag of that name.
    return isinstance(annotation.get('ignored'), dict)


def select_whole(refs: Sequence[dict], files: ReferFiles, reading: Reading) -> Iterator[Tuple[dict, List[dict]]]:
    """Select the refs without a fault.

    Args:
        refs (Sequence[dict]), files (ReferFiles), reading (Reading): See :func:`collect_images`.

    Yields:
        tuple[dict, list[dict]]: A ref, and its sentences without a fault, each with ``text, sent_id, skills``.
    """
    seen: Set[tuple] = set()
    for ref in refs:
        problems = list(_problems_of_ref(ref, files, reading))
        for problem in problems:
            reading.report(problem)
        sentences = list(_valid_sentences(ref, files.refs_path, reading))
        if reading.unique_ids and not problems:
            sentences = _without_repeated_ids(ref, sentences, seen, files.refs_path, reading.report)
        if sentences and not problems:
            yield ref, sentences


def _without_repeated_ids(ref: dict, sentences: Sequence[dict], seen: Set[tuple], refs_path: str,
                          report: Report) -> List[dict]:
    """The sentences whose pair of ids, of ref and sentence, was not there before."""
    kept = []
    for number, sentence in enumerate(sentences):
        pair = (ref['ref_id'], sentence['sent_id'])
        if pair in seen:
            report(
                Problem(
                    'repeated ids', f'sentence {pair[1]} of ref {pair[0]}, number {number} of image {ref["image_id"]}',
                    f'{refs_path}: sentence {pair[1]} of ref {pair[0]} is there more than once. Scores are told apart '
                    f'by these two ids: give each sentence its own.'))
        else:
            seen.add(pair)
            kept.append(sentence)
    return kept


def _problems_of_ref(ref: dict, files: ReferFiles, reading: Reading) -> Iterator[Problem]:
    """All that is wrong with a ref, but for its sentences, short of decoding its image and mask."""
    image = files.images.whole.get(ref['image_id'])
    if image is None:
        yield files.images.faulty.get(ref['image_id']) or Problem(
            'missing image', f'ref {ref["ref_id"]}', f'{files.refs_path}: ref {ref["ref_id"]} is about image '
            f'{shorten(ref["image_id"])}, which {files.instances_path} does not have. '
            f'{_advise(ref["image_id"], files.images)}')
        return
    path = image['file_name'] if reading.image_folder is None else image_path(image, reading.image_folder)
    if reading.image_folder is not None and not exists(path):
        yield Problem(
            'missing image file', path, f'{path}, the image of ref {ref["ref_id"]} ({files.refs_path}), is missing. '
            f'Set data_prefix.img_path to the folder of the images.', FileNotFoundError)
    if image.get('height') is None:
        problem = _fill_in_size(image, path)
        if problem is not None:
            yield problem
            return
    for annotation_id in target_annotation_ids(ref):
        problem = _problem_of_annotation(annotation_id, ref, image, files, reading.repairs)
        if problem is not None:
            yield problem


def _fill_in_size(image: dict, path: str) -> Optional[Problem]:
    """Take the size of an image that the annotations do not give from its file."""
    try:
        image['height'], image['width'] = read_image_size(path)
    except FileNotFoundError:
        # Already reported. Without a size, its masks cannot be checked.
        return Problem('missing image file', path, f'{path} is missing, and the annotations do not give its size.',
                       FileNotFoundError)
    except (ValueError, OSError) as error:
        return Problem('broken image file', path, str(error), type(error))
    return None


def _problem_of_annotation(annotation_id: Id, ref: dict, image: dict, files: ReferFiles,
                           repairs: ProblemTally) -> Optional[Problem]:
    name = f'ref {ref["ref_id"]}'

    def where() -> str:
        return f'{files.refs_path}: {name} points to annotation {shorten(annotation_id)}'

    annotation = files.annotations.whole.get(annotation_id)
    if annotation is None:
        return files.annotations.faulty.get(annotation_id) or Problem(
            'missing annotation', name,
            f'{where()}, which {files.instances_path} does not have. {_advise(annotation_id, files.annotations)}')
    if annotation.get('image_id') != ref['image_id']:
        return Problem(
            'annotation of another image', name, f'{where()}, which is of image {shorten(annotation.get("image_id"))} '
            f'instead of {shorten(ref["image_id"])}. Use the two files of one download.')
    if 'segmentation' not in annotation:
        return Problem('no segmentation', name, f'{where()}, which has no segmentation ({files.instances_path}). Use a '
                       f'file of instances, not of boxes or captions.')
    if annotation['segmentation'] in ([], ()):
        # Some of RefClef's. They are no refs of no target, which point to no annotation.
        return Problem('empty mask', name, f'The mask of {name} on {image["file_name"]} is empty: the segmentation of '
                       f'annotation {annotation_id} in {files.instances_path} is []. Repair or remove the ref.')
    try:
        dropped = check_segmentation(annotation['segmentation'], image['height'], image['width'])
        if _has_ignored(annotation):
            check_segmentation(annotation['ignored'], image['height'], image['width'])
    except ValueError as error:
        return Problem('malformed mask', name, f'The mask of {name} on {image["file_name"]} is malformed: {error}. '
                       f'Repair or remove annotation {annotation_id} in {files.instances_path}.')
    if dropped:
        repairs.report(
            Problem(
                SHORT_POLYGON, f'annotation {annotation_id}', f'annotation {annotation_id} of {files.instances_path} '
                f'has {dropped} such polygon(s) beside good ones; they are left out of its mask.'))
    return None


def _advise(one: Id, entries: Entries) -> str:
    """What to do about an id that is not there: files of two downloads, or of two ways to write ids."""
    difference = describe_id_difference(one, next(iter(entries.whole), None))
    return f'{difference}: write both the same way.' if difference else 'Use the two files of one download.'


def _valid_sentences(ref: dict, refs_path: str, reading: Reading) -> Iterator[dict]:
    """Each sentence with ``text, sent_id, skills``; those without words are reported."""
    field = reading.text_field
    for sentence in ref['sentences']:
        text, name = sentence.get(field), f'sentence {sentence["sent_id"]}'
        entry = f'{name} of ref {ref["ref_id"]}'
        if not isinstance(text, str) or not text.strip():
            reading.report(
                Problem('empty sentence', entry, f'{refs_path}: ref {ref["ref_id"]}: {name} '
                        f'{_fault_of_text(sentence, field)}'))
            continue
        whole = to_well_formed(text)
        if whole != text:
            reading.repairs.report(
                Problem(HALF_CHARACTERS, entry, f'{entry} in {refs_path}; each is read as U+FFFD: '
                        f'"{whole}".'))
        skills = sentence.get('skills')
        yield dict(
            text=whole,
            sent_id=sentence['sent_id'],
            skills=None if skills is None else [to_well_formed(skill) for skill in skills])


def _fault_of_text(sentence: dict, field: str) -> str:
    other = 'raw' if field == 'sent' else 'sent'
    if field not in sentence and isinstance(sentence.get(other), str):
        return f'has no `{field}`, only `{other}`. Set text_field={other!r}.'
    return f'is empty ({field}={shorten(sentence.get(field))}). Correct or remove it.'


def drop_undecodable(image: dict, load_image: Callable[[dict], np.ndarray], report: Report) -> Optional[dict]:
    """Decode an image and its masks, and leave out what turns out to be broken.

    Args:
        image (dict): An entry of :func:`collect_images`.
        load_image (Callable): Reads the image of an entry; raises ``ValueError`` or ``OSError`` if it is broken.
        report (Callable): Gets the broken image, for which all its refs are left out, and each broken mask, for which
            the refs that point to it are.

    Returns:
        dict, optional: The image with the expressions that are left; None if none is.
    """
    broken = False
    try:
        load_image(image)
    except (ValueError, OSError) as error:
        report(Problem('broken image file', image['img_path'], str(error), type(error)))
        broken = True
    targets: Set[int] = set()
    for target, problem in _problems_of_masks(image):
        report(problem)
        targets.add(target)
    return None if broken or len(targets) == len(image['objects']) else _without_targets(image, targets)


def _without_targets(image: dict, targets: Set[int]) -> dict:
    kept = [target for target in range(len(image['objects'])) if target not in targets]
    lists = {key: [image[key][target] for target in kept] for key in ('objects', 'ignored') if key in image}
    return dict(
        image,
        **lists,
        expressions=[
            dict(one, target=kept.index(one['target'])) for one in image['expressions'] if one['target'] in kept
        ])


def _problems_of_masks(image: dict) -> Iterator[Tuple[int, Problem]]:
    """Masks that cover no pixel; whatever else could be wrong with one is seen without decoding it."""
    names: Dict[int, Any] = {}
    for expression in image['expressions']:
        names.setdefault(expression['target'], expression['ref_id'])
    for target, ref_id in names.items():
        segmentations = image['objects'][target]
        # A ref without annotations is one of no target, and means it.
        if segmentations and not union_of_segmentations(segmentations, image['height'], image['width']).any():
            yield target, Problem(
                'empty mask', f'ref {ref_id}', f'The mask of ref {ref_id} on {image["img_path"]} covers no pixel. '
                f'Repair or remove it in the annotation file.')


def _image(image: dict, image_folder: str) -> dict:
    return dict(
        img_id=image['id'],
        img_path=image_path(image, image_folder),
        height=image['height'],
        width=image['width'],
        objects=[],
        expressions=[])

