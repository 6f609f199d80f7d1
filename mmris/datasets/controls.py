"""Controls: what is left of a model's score when its sentences, or its instance masks, are wrong or absent."""

from typing import List, Optional

import cv2
import numpy as np
from mmengine.config import Config
from mmengine.logging import print_log
from pycocotools import mask as coco_mask

from mmris.names import CONTROLS

from .masks import decode_segmentation


def apply_control(control: Optional[str], images: List[dict]) -> List[dict]:
    """Change the expressions of images, or their instance masks.

    Args:
        control (str, optional): ``'exchanged'``: each expression is scored against another object of its image, by a
            derangement of the objects (each takes the next one's place); images with one object cannot take part and
            are left out. ``'empty'``: each expression becomes the empty sentence. ``'shuffled_masks'``: each image
            has the instance masks of the next one, scaled to its size. ``'no_masks'``: no image has any. None: nothing
            changes.
        images (list[dict]): Images with ``objects`` and ``expressions``, each of which names its ``target``; with
            ``instances`` where the control is about these.

    Returns:
        list[dict]: The changed images; the given ones stay as they are.

    Raises:
        ValueError: If ``control`` is ``'shuffled_masks'`` and there are not two images.
    """
    if control == 'empty':
        return [
            dict(image, expressions=[dict(expression, text='') for expression in image['expressions']])
            for image in images
        ]
    if control == 'exchanged':
        several = [image for image in images if len(image['objects']) > 1]
        if len(several) < len(images):
            print_log(
                f'Exchanged sentences: {len(images) - len(several)} of {len(images)} images have one referred object '
                f'and are left out.',
                logger='current')
        return [dict(image, expressions=_exchange(image)) for image in several]
    if control == 'shuffled_masks':
        if len(images) < 2:
            raise ValueError(f'The control shuffled_masks gives each image the instance masks of another, but the '
                             f'split has {len(images)} image(s). Take a split of at least two.')
        return [dict(image, instances=_scaled(other, image)) for image, other in zip(images, images[1:] + images[:1])]
    if control == 'no_masks':
        return [dict(image, instances=[]) for image in images]
    return images


def _exchange(image: dict) -> List[dict]:
    count = len(image['objects'])
    return [
        dict(expression, target=(expression['target'] + 1) % count) for expression in image['expressions']
    ]


def _scaled(image: dict, goal: dict) -> List[dict]:
    """The instances of an image, as they would lie on one of the size of another."""
    size, goal_size = (image['height'], image['width']), (goal['height'], goal['width'])
    if size == goal_size:
        return image['instances']
    scaled = []
    for instance in image['instances']:
        mask = decode_segmentation(instance['segmentation'], *size)
        mask = cv2.resize(mask, goal_size[::-1], interpolation=cv2.INTER_NEAREST)
        scaled.append(dict(instance, segmentation=coco_mask.encode(np.asfortranarray(mask))))
    return scaled


def split_settings(config: Config, name: str) -> dict:
    """What an evaluation's name stands for.

    Args:
        config (Config): The config.
        name (str): One of the config's ``SplitTestLoop``, a split of its data set, or either with a control that
            ``mmris test`` adds, as in ``'val_empty'``.

    Returns:
        dict: What it changes of the test data set's config.
    """
    splits = (config.get('test_cfg') or {}).get('splits', {})
    if name in splits:
        return dict(splits[name])
    for control in CONTROLS:
        if name.endswith(f'_{control}'):
            return dict(split_settings(config, name.removesuffix(f'_{control}')), control=control)
    return dict(split=name)
