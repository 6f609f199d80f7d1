"""Samples of the expressions about an image, and a number for each image."""

from hashlib import blake2b
from typing import Dict, List

from mmris.utils.ids import Id

GROUPS = ('image', 'ref', 'expression')


def place_of_image(image_id: Id) -> float:
    """A number in [0, 1) that depends on an image's id alone."""
    return int.from_bytes(blake2b(str(image_id).encode(), digest_size=6).digest(), 'big') / 2**48


# What a sample holds once an expression.
EXPRESSION_KEYS = ('text', 'ref_ids', 'sent_ids', 'targets', 'skills')


def group_expressions(image: dict, group_by: str) -> List[dict]:
    """Make samples of an image of :func:`~mmris.datasets.referred_images.collect_images`.

    Args:
        image (dict): The image.
        group_by (str): One of :data:`GROUPS`: a sample has all expressions, all of one ref, or one.

    Returns:
        list[dict]: The samples, with the keys of :class:`RefCOCODataset`'s.
    """
    expressions = image['expressions']
    if group_by == 'image':
        groups = [expressions]
    elif group_by == 'ref':
        by_ref: Dict[tuple, List[dict]] = {}
        for expression in expressions:
            # Two objects may share the id of a ref.
            by_ref.setdefault((expression['ref_id'], expression['target']), []).append(expression)
        groups = list(by_ref.values())
    else:
        groups = [[expression] for expression in expressions]
    return [_sample(image, group) for group in groups]


def _sample(image: dict, expressions: List[dict]) -> dict:
    used = sorted({expression['target'] for expression in expressions})
    sample = dict(
        img_id=image['img_id'],
        img_path=image['img_path'],
        height=image['height'],
        width=image['width'],
        objects=[image['objects'][target] for target in used],
        text=[expression['text'] for expression in expressions],
        ref_ids=[expression['ref_id'] for expression in expressions],
        sent_ids=[expression['sent_id'] for expression in expressions],
        targets=[used.index(expression['target']) for expression in expressions])
    if any(expression['skills'] is not None for expression in expressions):
        sample['skills'] = [expression['skills'] or [] for expression in expressions]
    if 'ignored' in image and any(image['ignored'][target] for target in used):
        sample['ignored'] = [image['ignored'][target] for target in used]
    if 'instances' in image:
        sample['instances'] = image['instances']
    return sample
