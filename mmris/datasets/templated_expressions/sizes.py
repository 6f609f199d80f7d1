"""Which object of a category is the largest or the smallest in the image."""

from typing import Iterator, Sequence

from .meanings import Meaning
from .scene import Scene, SceneObject, covered_share

# How many times as large by the mask, by the extent, and by the longer side of the extent.
_BY_MASK, _BY_EXTENT, _BY_SIDE = 2.2, 1.8, 1.25
# What of an object lies outside of the image, or is hidden, is not known.
_BY_MASK_OF_CUT = 5.0
_LARGEST_PART, _MOST_COVERED = 0.9, 0.2
# With more objects or smaller ones, a still smaller one is easily overlooked.
_MOST_FOR_SMALLEST, _LEAST_SHARE_OF_SMALLEST = 4, 0.015


def find_sizes(scene: Scene, members: Sequence[SceneObject], target: SceneObject) -> Iterator[Meaning]:
    """Find whether an object's size tells it from the others of its category.

    Args:
        scene (Scene): The image.
        members (Sequence[SceneObject]): All objects of the category, two or more, the target among them.
        target (SceneObject): The object to tell apart.

    Yields:
        Meaning: ``'larger'`` (of two) or ``'largest'`` (of three or more), with ``'big'`` or ``'small'``.
    """
    others = [item for item in members if item is not target]
    kind = 'larger' if len(others) == 1 else 'largest'
    if all(_is_larger(scene, target, other) for other in others):
        yield Meaning(kind, 'big')
    is_seen = (
        len(members) <= _MOST_FOR_SMALLEST and scene.share(target) >= _LEAST_SHARE_OF_SMALLEST
        and _is_whole(scene, target))
    if is_seen and all(_is_larger(scene, other, target) for other in others):
        yield Meaning(kind, 'small')


def _is_larger(scene: Scene, item: SceneObject, other: SceneObject) -> bool:
    """Whether an object is clearly larger than another, even if a part of the other cannot be seen."""
    by_mask = _BY_MASK if _is_whole(scene, other) else _BY_MASK_OF_CUT
    return (item.area >= by_mask * other.area
            and item.width * item.height >= _BY_EXTENT * other.width * other.height
            and max(item.width, item.height) >= _BY_SIDE * max(other.width, other.height))


def _is_whole(scene: Scene, item: SceneObject) -> bool:
    seen = [one for one in scene.objects if one.mask is not None]
    return (not scene.touches_border(item) and item.largest_part >= _LARGEST_PART
            and covered_share(item, seen) <= _MOST_COVERED)
