"""Where an object is among those of its category: left or right, upper or lower, second in a row."""

from typing import Iterator, List, Sequence, Tuple

from .meanings import Meaning
from .scene import Scene, SceneObject

# Of the image's width or height, and of the larger object's: the least distance of centres for an order of two.
_AHEAD_OF_IMAGE, _AHEAD_OF_OBJECT = 0.07, 0.55
# A pair that is further apart across than along a direction is not called by that direction.
_STEEPEST = 1.0
# Two objects are in one row if their extents share this much of the lower one's height.
_IN_ROW = 0.5
# Of a much larger object beside it people would think first.
_LEAST_OF_LARGEST = 0.2
_IN_HALF, _OUT_OF_HALF = 0.4, 0.55


def find_places(scene: Scene, members: Sequence[SceneObject], target: SceneObject) -> Iterator[Meaning]:
    """Find the places that tell an object from the others of its category.

    Args:
        scene (Scene): The image.
        members (Sequence[SceneObject]): All objects of the category, two or more, the target among them.
        target (SceneObject): The object to tell apart.

    Yields:
        Meaning: ``'side'`` (of two), ``'most'`` (of three or more), ``'half'`` (on that side of the image, and no
        other is), ``'second'`` (from a side, of four or more in a row), ``'middle'`` (of three in a row).
    """
    others = [item for item in members if item is not target]
    if target.area < _LEAST_OF_LARGEST * max(item.area for item in others):
        return
    for side in ('left', 'right'):
        ahead = [other for other in others if _is_ahead(scene, other, target, side)]
        behind = [other for other in others if _is_ahead(scene, target, other, side)]
        if len(ahead) + len(behind) < len(others):
            continue
        if not ahead:
            yield Meaning('side' if len(others) == 1 else 'most', side)
            if _is_alone_in_half(scene, target, others, side):
                yield Meaning('half', side)
        elif len(ahead) == 1 and len(others) >= 2 and _is_row(members):
            yield from _in_row(side, len(others))
    if len(others) == 1:
        yield from (Meaning('side', side) for side in ('top', 'bottom') if _is_ahead(scene, target, others[0], side))


def _in_row(side: str, others: int) -> Iterator[Meaning]:
    if others > 2:
        yield Meaning('second', side)
    elif side == 'left':
        yield Meaning('middle')


def _offsets(scene: Scene, item: SceneObject, side: str) -> Tuple[float, float]:
    """Distances of an object's two centres, of its extent and its mass, from a side of the image, in pixels."""
    axis = 0 if side in ('left', 'right') else 1
    places = item.centre[axis], item.mass_centre[axis]
    if side in ('left', 'top'):
        return places
    size = scene.width if axis == 0 else scene.height
    return size - places[0], size - places[1]


def _is_ahead(scene: Scene, item: SceneObject, other: SceneObject, side: str) -> bool:
    """Whether an object is clearly nearer to a side of the image than another."""
    along, across = abs(item.centre[0] - other.centre[0]), abs(item.centre[1] - other.centre[1])
    size, extent = scene.width, max(item.width, other.width)
    if side in ('top', 'bottom'):
        along, across, size, extent = across, along, scene.height, max(item.height, other.height)
    needed = max(_AHEAD_OF_IMAGE * size, _AHEAD_OF_OBJECT * extent)
    gaps = [theirs - ours for ours, theirs in zip(_offsets(scene, item, side), _offsets(scene, other, side))]
    return min(gaps) >= needed and across <= _STEEPEST * along


def _is_alone_in_half(scene: Scene, target: SceneObject, others: List[SceneObject], side: str) -> bool:
    shares = [_offsets(scene, item, side)[0] / scene.width for item in (target, *others)]
    return shares[0] <= _IN_HALF and min(shares[1:]) >= _OUT_OF_HALF


def _is_row(members: Sequence[SceneObject]) -> bool:
    """Whether objects stand side by side, so that people count them from left to right."""
    return all(
        min(one.bottom, other.bottom) - max(one.top, other.top) >= _IN_ROW * min(one.height, other.height)
        and max(one.area, other.area) <= min(one.area, other.area) / _LEAST_OF_LARGEST
        for one in members for other in members)
