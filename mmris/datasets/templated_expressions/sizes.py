"""Which object of a category is the largest or the smallest in the image."""

from typing import Iterator, Sequence

from .meanings import Meaning
from .scene import Scene, SceneObject, covered_share

# How many times as large by the mask, by the extent, and by the longer side of the extent.
_BY_MASK, _BY_EXTENT, _BY_SIDE = 2.2, 1.8, 1.25
# An object is whole by these, and does not reach the border. How large others are is not known.
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
    is_known = {item.annotation_id: _is_whole(scene, item) for item in members}
    kind = 'larger' if len(others) == 1 else 'largest'
    if all(is_known[other.annotation_id] and _is_larger(target, other) for other in others):
        yield Meaning(kind, 'big')
    is_seen = len(members) <= _MOST_FOR_SMALLEST and scene.share(target) >= _LEAST_SHARE_OF_SMALLEST
    if is_seen and is_known[target.annotation_id] and all(_is_larger(other, target) for other in others):
        yield Meaning(kind, 'small')


def _is_larger(item: SceneObject, other: SceneObject) -> bool:
    return (item.area >= _BY_MASK * other.area
            and item.width * item.height >= _BY_EXTENT * other.width * other.height
            and max(item.width, item.height) >= _BY_SIDE * max(other.width, other.height))


def _is_whole(scene: Scene, item: SceneObject) -> bool:
    seen = [one for one in scene.objects if one.mask is not None]
    return (not scene.touches_border(item) and item.largest_part >= _LARGEST_PART
            and covered_share(item, seen) <= _MOST_COVERED)
