"""Instance masks for a predictor, out of a file that a segmenter wrote: what tools share."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, Set, Tuple, Union

import numpy as np

from mmris.datasets.data_files import read_json
from mmris.datasets.instance_masks import complete_settings, decode_instances, read_instance_masks
from mmris.utils.configs import check_inputs
from mmris.utils.ids import read_id

from .predictor import Predictor


@dataclass(frozen=True)
class GivenMasks:
    """What a command line gives a model of the instances on an image.

    Attributes:
        masks (ndarray, optional): ``(K, H0, W0)`` uint8 of 0 and 1, surest first. None: nothing is given.
        note (str): What was given, in words; empty for a model that takes none.
    """

    masks: Optional[np.ndarray]
    note: str


def masks_of_image(arguments: argparse.Namespace, predictor: Predictor, size: Tuple[int, int]) -> GivenMasks:
    """Read the instance masks that a command line names for ``arguments.image``.

    Args:
        arguments (Namespace): With what :func:`mmris.command_line.arguments.add_mask_arguments` added, and ``image``,
            a file.
        predictor (Predictor): Of the model that they are for. The data set of its config's test says how sure and how
            many masks are by default.
        size (tuple[int, int]): Height and width of the upright image in pixels.

    Returns:
        GivenMasks: The masks, and what they are.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If ``--masks`` is missing and another option of its kind is not, or the model takes none.
        ValueError: If a file is malformed, or does not tell which masks are the image's.
        ValueError: If a mask is malformed, or of another size than the image.
    """
    if arguments.masks is None:
        _check_alone(arguments)
        looked = 'No instance masks (--masks): the model takes it that nothing was found.'
        return GivenMasks(None, looked if predictor.takes_instance_masks else '')
    if not predictor.takes_instance_masks:
        raise ValueError('The model takes no instance masks in. Leave --masks out, or use a config whose model does, '
                         'such as those of configs/mail.')
    check_inputs(**{'file of instance masks': arguments.masks})
    settings = predictor.model.cfg.test_dataloader.dataset.get('instance_masks') or {}
    given = {} if arguments.masks_min_score is None else dict(min_score=arguments.masks_min_score)
    settings = complete_settings({**settings, **given, 'file': arguments.masks})
    wanted = _wanted_ids(arguments)
    found = read_instance_masks(
        arguments.masks, min_score=settings['min_score'], max_instances=settings['max_instances'], image_ids=wanted)
    if len(found) > 1:
        some = ', '.join(str(image_id) for image_id in list(found)[:3]) + (', ...' if len(found) > 3 else '')
        raise ValueError(
            f'{arguments.masks} has masks of {len(found)} images ({some}): say which of them this one is, --image-id '
            f'ID, or give the annotation file that they were made with, --masks-images FILE.json.')
    if not found and arguments.image_id is not None:
        raise ValueError(f'{arguments.masks} has no masks of image {arguments.image_id}. --masks-images FILE.json '
                         f'finds the id by the image\'s name. If nothing was found on it, leave --masks out.')
    if not found:
        # Such a file holds nothing of an image on which nothing was found.
        which = 'it has no results' if wanted is None else (
            f'it does not mention image {next(iter(wanted))}, so that nothing was found on it, or the file is of '
            f'other images')
        return GivenMasks(np.zeros((0, *size), dtype=np.uint8), f'{arguments.masks}: 0 instance masks: {which}')
    (image_id, instances), = found.items()
    masks = decode_instances(instances, *size, name=f'{arguments.image} (image {image_id} of {arguments.masks})')
    weak = '' if instances else f', where none has a score of {settings["min_score"]} or more'
    return GivenMasks(masks, f'{arguments.masks}: {len(masks)} instance masks of image {image_id}{weak}')


def _check_alone(arguments: argparse.Namespace) -> None:
    given = dict(image_id='--image-id', masks_images='--masks-images', masks_min_score='--masks-min-score')
    for name, option in given.items():
        if getattr(arguments, name) is not None:
            raise ValueError(f'{option} is about instance masks: give their file too, --masks FILE.json.')


def _wanted_ids(arguments: argparse.Namespace) -> Optional[Set[Any]]:
    """The ids that the image may have; None if nothing tells it."""
    if arguments.masks_images is not None:
        return {find_image_id(arguments.masks_images, arguments.image)}
    return None if arguments.image_id is None else {read_id(arguments.image_id)}


def find_image_id(annotations: Union[str, Path], image: Union[str, Path]) -> Any:
    """Find the id that an image has in a COCO annotation file, by its name.

    Args:
        annotations (str or Path): The file.
        image (str or Path): The image. Folders count only if several have its name: then the end of the path must be
            the same, as far as the shorter one goes.

    Returns:
        int or str: Its id.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no annotation file, has no image of that name, or several.
    """
    check_inputs(**{'annotation file': annotations})
    content = read_json(str(annotations))
    images = content.get('images') if isinstance(content, dict) else None
    if not isinstance(images, list) or not all(
            isinstance(one, dict) and read_id(one.get('id')) is not None and isinstance(one.get('file_name'), str)
            for one in images):
        raise ValueError(f'{annotations} is no COCO annotation file: it lacks a list of images with id and file_name.')
    name = Path(image).name
    named = [one for one in images if Path(one['file_name']).name == name]
    if not named:
        raise ValueError(f'{annotations} has no {name} among its {len(images)} images. Give the file that the masks '
                         f'were made with, or the id that the image has in it, --image-id ID.')
    meant = named if len(named) == 1 else [one for one in named if _has_same_ending(one['file_name'], Path(image))]
    if len(meant) != 1:
        some = ', '.join(one['file_name'] for one in named[:3])
        raise ValueError(f'{annotations} has {len(named)} images called {name} ({some}), and {image} does not tell '
                         f'which of them is meant: give its id, --image-id ID.')
    return read_id(meant[0]['id'])


def _has_same_ending(name: str, image: Path) -> bool:
    """Whether two paths are the same from their ends on, as far as the shorter one goes."""
    one, other = Path(name).parts, image.absolute().parts
    length = min(len(one), len(other))
    return one[-length:] == other[-length:]
