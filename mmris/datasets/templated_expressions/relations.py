"""How an object stands to the only object of another category: beside it, left or right of it.

Above and below are left out: in a photograph, what is further away is higher in the picture.
"""

from typing import Iterator, Sequence

from .meanings import Meaning
from .scene import Scene, SceneObject

# Shares of the image's width. What is near must be this near, and others of the category this far.
_NEAR, _FAR, _FAR_TO_NEAR = 0.05, 0.15, 3.0
_REACH = 0.3
# Shares of the smaller object's width and height: objects that overlap more touch, carry or hide each other.
_OVERLAP_ACROSS, _ALIGNED = 0.1, 0.5
# Both stand about equally far from the camera if their lower ends are level, by the height of the lower one.
_LEVEL = 0.5
_LARGEST_RATIO = 6.0
_OTHER_SIDE = 0.03


def find_relations(scene: Scene, members: Sequence[SceneObject], target: SceneObject, landmark: SceneObject,
                   noun: str) -> Iterator[Meaning]:
    """Find how an object's place beside a landmark tells it from the others of its category.

    Args:
        scene (Scene): The image.
        members (Sequence[SceneObject]): All objects of the category, two or more, the target among them.
        target (SceneObject): The object to tell apart.
        landmark (SceneObject): The only object of another category.
        noun (str): What the landmark is called.

    Yields:
        Meaning: ``'beside'``, or ``'side of'`` with ``'left'`` or ``'right'``.
    """
    others = [item for item in members if item is not target]
    if not _are_side_by_side(target, landmark):
        return
    gap = _gap(target, landmark)
    far = max(_FAR * scene.width, _FAR_TO_NEAR * gap)
    if gap <= _NEAR * scene.width and all(_gap(other, landmark) >= far for other in others):
        yield Meaning('beside', landmark=noun)
    if gap > _REACH * scene.width:
        return
    sign = 1 if target.centre[0] < landmark.centre[0] else -1
    if all(sign * (other.centre[0] - landmark.centre[0]) >= _OTHER_SIDE * scene.width for other in others):
        yield Meaning('side of', 'left' if sign > 0 else 'right', noun)


def _are_side_by_side(one: SceneObject, other: SceneObject) -> bool:
    """Whether two objects of like size stand apart from each other on one level."""
    across = min(one.right, other.right) - max(one.left, other.left)
    down = min(one.bottom, other.bottom) - max(one.top, other.top)
    lower = min(one.height, other.height)
    return (across <= _OVERLAP_ACROSS * min(one.width, other.width) and down >= _ALIGNED * lower
            and abs(one.bottom - other.bottom) <= _LEVEL * lower
            and max(one.area, other.area) <= _LARGEST_RATIO * min(one.area, other.area))


def _gap(one: SceneObject, other: SceneObject) -> float:
    """Distance between the extents of two objects in pixels; 0 if they overlap."""
    across = max(one.left, other.left) - min(one.right, other.right)
    down = max(one.top, other.top) - min(one.bottom, other.bottom)
    return (max(across, 0)**2 + max(down, 0)**2)**0.5
