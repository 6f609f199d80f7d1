"""Controls: what is left of a model's score when its sentences are wrong or absent."""

from typing import List, Optional

from mmengine.config import Config
from mmengine.logging import print_log

SENTENCE_CONTROLS = ('exchanged', 'empty')


def apply_control(control: Optional[str], images: List[dict]) -> List[dict]:
    """Change the expressions of images.

    Args:
        control (str, optional): ``'exchanged'``: each expression is scored against another object of its image, by a
            derangement of the objects (each takes the next one's place); images with one object cannot take part and
            are left out. ``'empty'``: each expression becomes the empty sentence. None: nothing changes.
        images (list[dict]): Images with ``objects`` and ``expressions``, each of which names its ``target``.

    Returns:
        list[dict]: The changed images; the given ones stay as they are.
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
    return images


def _exchange(image: dict) -> List[dict]:
    count = len(image['objects'])
    return [
        dict(expression, target=(expression['target'] + 1) % count) for expression in image['expressions']
    ]


def split_settings(config: Config, name: str) -> dict:
    """What an evaluation's name stands for.

    Args:
        config (Config): The config.
        name (str): One of the config's ``SplitTestLoop``, a split of its data set, or either with a control that
            ``tools/test.py`` adds, as in ``'val_empty'``.

    Returns:
        dict: What it changes of the test data set's config.
    """
    splits = (config.get('test_cfg') or {}).get('splits', {})
    if name in splits:
        return dict(splits[name])
    for control in SENTENCE_CONTROLS:
        if name.endswith(f'_{control}'):
            return dict(split_settings(config, name.removesuffix(f'_{control}')), control=control)
    return dict(split=name)
