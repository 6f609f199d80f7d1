"""Images with the objects that refs point to, and what is wrong with them: rules of the data set and of its check."""

import os
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

from .masks import check_segmentation
from .problems import Problem, Report
from .refer_files import ReferFiles, target_annotation_ids


def collect_images(refs: Sequence[dict], files: ReferFiles, *, image_folder: str, text_field: str,
                   report: Report) -> Tuple[List[dict], int]:
    """Gather refs by their images.

    Args:
        refs (Sequence[dict]): Refs of ``files``, such as those of a split.
        files (ReferFiles): Their annotations and images.
        image_folder (str): Where the image files are.
        text_field (str): ``'sent'`` or ``'raw'``.
        report (Callable): Told of each problem of a ref; the ref is left out.

    Returns:
        tuple[list[dict], int]: An entry an image: ``img_id, img_path, height, width``, ``objects``, for each the list
        of its COCO segmentations, and ``expressions``, each with ``text, ref_id, sent_id, skills`` and its ``target``,
        an index into the objects. Then how many refs were left out.
    """
    images: Dict[Any, dict] = {}
    positions: Dict[tuple, int] = {}
    left_out = 0
    for ref in refs:
        problems = list(problems_of_ref(ref, files, image_folder=image_folder, text_field=text_field))
        for problem in problems:
            report(problem)
        if problems:
            left_out += 1
            continue
        image = images.setdefault(ref['image_id'], _image(files.images[ref['image_id']], image_folder))
        # Two refs may point to one object.
        key = (ref['image_id'], *target_annotation_ids(ref))
        if key not in positions:
            positions[key] = len(image['objects'])
            image['objects'].append([files.annotations[one]['segmentation'] for one in target_annotation_ids(ref)])
        for sentence in ref['sentences']:
            image['expressions'].append(
                dict(
                    text=sentence[text_field],
                    ref_id=ref['ref_id'],
                    sent_id=sentence['sent_id'],
                    skills=sentence.get('skills'),
                    target=positions[key]))
    return list(images.values()), left_out


def problems_of_ref(ref: dict, files: ReferFiles, *, image_folder: str, text_field: str) -> Iterator[Problem]:
    """All that is wrong with one ref, short of decoding its image and mask: see :func:`collect_images`."""
    image = files.images.get(ref['image_id'])
    name, where = f'ref {ref["ref_id"]}', f'{files.refs_path}: ref {ref["ref_id"]}'
    if image is None:
        yield Problem(
            'missing image', name, f'{where} is about image {ref["image_id"]}, which {files.instances_path} does not '
            f'have. Use the two files of one download.')
        return
    path = image_path(image, image_folder)
    if not _exists(path):
        yield Problem(
            'missing image file', path, f'{path}, the image of {name} ({files.refs_path}), is missing. Set '
            f'data_prefix.img_path to the folder of the images, or set bad_data=\'skip\' to leave such refs out.',
            FileNotFoundError)
    for annotation_id in target_annotation_ids(ref):
        problem = _problem_of_annotation(annotation_id, ref, image, files)
        if problem is not None:
            yield problem
    for sentence in ref['sentences']:
        text = sentence.get(text_field)
        if not isinstance(text, str) or not text.strip():
            yield Problem(
                'empty sentence', f'sentence {sentence["sent_id"]}',
                f'{where}: sentence {sentence["sent_id"]} is empty ({text_field}={text!r:.80}). Correct or remove it, '
                f'or set bad_data=\'skip\' to leave its ref out.')


def _problem_of_annotation(annotation_id: Any, ref: dict, image: dict, files: ReferFiles) -> Optional[Problem]:
    name, where = f'ref {ref["ref_id"]}', f'{files.refs_path}: ref {ref["ref_id"]} points to annotation {annotation_id}'
    annotation = files.annotations.get(annotation_id)
    if annotation is None:
        return Problem('missing annotation', name, f'{where}, which {files.instances_path} does not have. '
                       f'Use the two files of one download.')
    if annotation.get('image_id') != ref['image_id']:
        return Problem('annotation of another image', name, f'{where}, which is of image {annotation.get("image_id")} '
                       f'instead of {ref["image_id"]}. Use the two files of one download.')
    if 'segmentation' not in annotation:
        return Problem('no segmentation', name, f'{where}, which has no segmentation ({files.instances_path}). Use a '
                       f'file of instances, not of boxes or captions.')
    try:
        check_segmentation(annotation['segmentation'], image['height'], image['width'])
    except ValueError as error:
        return Problem('malformed mask', name, f'The mask of {name} on {image["file_name"]} is malformed: {error}. '
                       f'Repair or remove annotation {annotation_id} in {files.instances_path}.')
    return None


def problems_of_decoding(image: dict) -> Iterator[Problem]:
    """What decoding brings to light: a broken image file, one of another size, a mask without a pixel.

    Args:
        image (dict): An entry of :func:`collect_images`.
    """
    # Imported here: transforms of the registry import this package.
    from .transforms.loading import LoadImage, LoadMasks
    try:
        LoadImage().transform(dict(image))
    except (ValueError, OSError) as error:
        yield Problem('broken image file', image['img_path'], str(error), type(error))
    names: Dict[int, Any] = {}
    for expression in image['expressions']:
        names.setdefault(expression['target'], expression['ref_id'])
    for target, ref_id in names.items():
        sample = dict(image, targets=[target], ref_ids=[ref_id])
        try:
            mask = LoadMasks().transform(sample)['gt_original']
        except ValueError as error:
            yield Problem('malformed mask', f'ref {ref_id}', str(error))
            continue
        # A ref without annotations is one of no target, and means it.
        if image['objects'][target] and not mask.any():
            yield Problem(
                'empty mask', f'ref {ref_id}', f'The mask of ref {ref_id} on {image["img_path"]} covers no pixel. '
                f'Repair or remove it in the annotation file.')


def image_path(image: dict, image_folder: str) -> str:
    """Path of the file of a COCO image."""
    return os.path.join(image_folder, image['file_name'])


def _image(image: dict, image_folder: str) -> dict:
    return dict(
        img_id=image['id'],
        img_path=image_path(image, image_folder),
        height=image['height'],
        width=image['width'],
        objects=[],
        expressions=[])


def _exists(path: str) -> bool:
    # A path of another file backend (s3://...) is not looked up one by one at load.
    return '://' in path or os.path.isfile(path)
