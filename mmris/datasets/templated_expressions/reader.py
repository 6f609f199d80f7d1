"""Reading a detection set, and making its images the scenes that sentences are about."""

import os
from typing import Any, Dict, List, NamedTuple

from mmris.datasets.data_files import read_json
from mmris.datasets.masks import check_segmentation
from mmris.datasets.problems import Problem, Report
from mmris.datasets.refer_files import index_entries
from mmris.utils.ids import Id, read_id
from mmris.utils.text import shorten

from .scene import Scene, make_object

_LISTS = ('images', 'annotations', 'categories')


class DetectionSet(NamedTuple):
    """The content of a file of COCO instances.

    Attributes:
        path (str): The file.
        content (dict): All that it has, unchanged.
        images (list[dict]): Its images in their order, with checked sizes and ids that are equal if their values are.
        annotations (dict[int or str, list[dict]]): The annotations of each image.
        categories (dict[int or str, str]): Names of the categories.
    """

    path: str
    content: Dict[str, Any]
    images: List[dict]
    annotations: Dict[Id, List[dict]]
    categories: Dict[Id, str]


def read_detection_set(path: str) -> DetectionSet:
    """Read a file of COCO instances.

    Args:
        path (str): The file: JSON with lists of ``images``, ``annotations`` and ``categories``.

    Returns:
        DetectionSet: Its content. Segmentations are not checked yet.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is another kind of file, or an entry is malformed; the message names the first.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(f'{path} (COCO instances) is missing. Name the instances file of a detection set, such '
                                f'as instances_train2017.json.')
    content = read_json(path)
    lacking = [name for name in _LISTS if not isinstance(content, dict) or not isinstance(content.get(name), list)]
    if lacking:
        raise ValueError(
            f'{path} is not a file of COCO instances: it needs lists of `images`, `annotations` and `categories`, and '
            f'has no list of {", ".join(f"`{name}`" for name in lacking)}. Use the instances file of a detection set, '
            f'such as instances_train2017.json.')
    images, annotations = (index_entries(content[kind], kind, path) for kind in ('images', 'annotations'))
    for problem in (*images.problems, *annotations.problems):
        raise problem.error(problem.message)
    categories = _read_categories(content['categories'], path)
    by_image: Dict[Id, List[dict]] = {one: [] for one in images.whole}
    for annotation in annotations.whole.values():
        _check_references(annotation, by_image, categories, path)
        by_image[annotation['image_id']].append(annotation)
    return DetectionSet(path, content, list(images.whole.values()), by_image, categories)


def read_scene(detections: DetectionSet, image: dict, report: Report) -> Scene:
    """Measure the objects of an image.

    Args:
        detections (DetectionSet): What the image is of.
        image (dict): One of its images.
        report (Callable): Gets each malformed mask. If it does not raise, the object has no mask.

    Returns:
        Scene: The image with its objects.
    """
    height, width = image['height'], image['width']
    objects = []
    for annotation in detections.annotations[image['id']]:
        segmentation = annotation.get('segmentation')
        try:
            check_segmentation(segmentation, height, width)
        except ValueError as error:
            name = f'annotation {annotation["id"]}'
            report(
                Problem(
                    'malformed mask', name, f'{detections.path}: the mask of {name} on {image["file_name"]} is '
                    f'malformed: {error}. Repair or remove the annotation.'))
            segmentation = None
        category = detections.categories[read_id(annotation['category_id'])]
        is_crowd = bool(annotation.get('iscrowd', 0))
        objects.append(make_object(annotation['id'], category, is_crowd, segmentation, height, width))
    return Scene(width, height, objects)


def _read_categories(entries: List[Any], path: str) -> Dict[Id, str]:
    categories: Dict[Id, str] = {}
    for position, entry in enumerate(entries):
        one = read_id(entry.get('id')) if isinstance(entry, dict) else None
        name = entry.get('name') if isinstance(entry, dict) else None
        if one is None or not isinstance(name, str) or categories.setdefault(one, name) != name:
            raise ValueError(
                f'{path}: the entry at position {position} of `categories` is {shorten(entry)}, but needs an id of '
                f'its own and a name, such as {{"id": 18, "name": "dog"}}.')
    return categories


def _check_references(annotation: dict, images: Dict[Id, Any], categories: Dict[Id, str], path: str) -> None:
    for key, known, kind in (('image_id', images, 'images'), ('category_id', categories, 'categories')):
        one = read_id(annotation.get(key))
        if one is None or one not in known:
            raise ValueError(
                f'{path}: annotation {annotation["id"]} has {key}={shorten(annotation.get(key))}, which `{kind}` does '
                f'not have. Add the entry, or remove the annotation.')
