"""The objects of one image, as far as sentences about them need."""

from typing import Any, List, NamedTuple, Optional, Sequence

import cv2
import numpy as np

from mmris.datasets.masks import decode_segmentation
from mmris.utils.ids import Id


class SceneObject(NamedTuple):
    """One annotated object. Lengths are pixels of the image.

    Attributes:
        annotation_id (int or str): Id of its annotation.
        category (str): Name of its category.
        is_crowd (bool): Whether it is a region of several objects that are not told apart.
        left (int): First column of its mask.
        top (int): First row of its mask.
        mask (ndarray, optional): ``(height, width)`` uint8 of 0 and 1, cropped to the mask's extent. None if the
            annotation has no mask, or a mask without a pixel: the object is there, and nothing is known of its shape.
        area (int): Pixels of the mask; 0 without one.
        mass_centre (tuple[float, float]): x and y of the mean of the mask's pixels.
        largest_part (float): Share of the mask's pixels in its largest connected part.
    """

    annotation_id: Id
    category: str
    is_crowd: bool
    left: int = 0
    top: int = 0
    mask: Optional[np.ndarray] = None
    area: int = 0
    mass_centre: tuple = (0.0, 0.0)
    largest_part: float = 0.0

    @property
    def width(self) -> int:
        """int: Width of the mask's extent."""
        return 0 if self.mask is None else self.mask.shape[1]

    @property
    def height(self) -> int:
        """int: Height of the mask's extent."""
        return 0 if self.mask is None else self.mask.shape[0]

    @property
    def right(self) -> int:
        """int: The column after the mask's last one."""
        return self.left + self.width

    @property
    def bottom(self) -> int:
        """int: The row after the mask's last one."""
        return self.top + self.height

    @property
    def centre(self) -> tuple:
        """tuple[float, float]: x and y of the centre of the mask's extent."""
        return self.left + self.width / 2, self.top + self.height / 2


class Scene(NamedTuple):
    """An image with all its annotated objects.

    Attributes:
        width (int): Width of the image in pixels.
        height (int): Height of the image in pixels.
        objects (list[SceneObject]): The objects, crowds among them.
    """

    width: int
    height: int
    objects: List[SceneObject]

    def of_category(self, category: str) -> List[SceneObject]:
        """List the objects of a category, crowds among them."""
        return [item for item in self.objects if item.category == category]

    def share(self, item: SceneObject) -> float:
        """Area of an object as a share of the image's."""
        return item.area / (self.width * self.height)

    def touches_border(self, item: SceneObject) -> bool:
        """Tell whether an object reaches the border of the image, so that a part of it may be outside."""
        # Outlines drawn by hand end a few pixels before the border.
        across, down = max(2, round(0.005 * self.width)), max(2, round(0.005 * self.height))
        return (item.left <= across or item.top <= down or item.right >= self.width - across
                or item.bottom >= self.height - down)


def make_object(annotation_id: Id, category: str, is_crowd: bool, segmentation: Any, height: int,
                width: int) -> SceneObject:
    """Measure the mask of an annotation.

    Args:
        annotation_id (int or str): Id of the annotation.
        category (str): Name of its category.
        is_crowd (bool): Whether it is a crowd.
        segmentation (list or dict, optional): A COCO segmentation. None if there is none.
        height (int): Height of the image in pixels.
        width (int): Width of the image in pixels.

    Returns:
        SceneObject: The object; without a mask if the segmentation is None or has no pixel.

    Raises:
        ValueError: If the segmentation is malformed (see :func:`mmris.datasets.masks.check_segmentation`).
    """
    if segmentation is None:
        return SceneObject(annotation_id, category, is_crowd)
    mask = decode_segmentation(segmentation, height, width)
    left, top, across, down = cv2.boundingRect(mask)
    if not across:
        return SceneObject(annotation_id, category, is_crowd)
    mask = mask[top:top + down, left:left + across].copy()
    # The first row is of the background.
    areas = cv2.connectedComponentsWithStats(mask)[2][1:, cv2.CC_STAT_AREA]
    moments = cv2.moments(mask, binaryImage=True)
    area = int(areas.sum())
    centre = left + moments['m10'] / area + 0.5, top + moments['m01'] / area + 0.5
    return SceneObject(annotation_id, category, is_crowd, left, top, mask, area, centre, float(areas.max() / area))


def common_area(one: SceneObject, other: SceneObject) -> int:
    """Count the pixels that the masks of two objects share."""
    left, right = max(one.left, other.left), min(one.right, other.right)
    top, bottom = max(one.top, other.top), min(one.bottom, other.bottom)
    if left >= right or top >= bottom:
        return 0
    crops = [item.mask[top - item.top:bottom - item.top, left - item.left:right - item.left] for item in (one, other)]
    return int(np.count_nonzero(crops[0] & crops[1]))


def covered_share(item: SceneObject, others: Sequence[SceneObject]) -> float:
    """Share of an object's extent that is covered by other objects and not by its own mask.

    Args:
        item (SceneObject): An object with a mask.
        others (Sequence[SceneObject]): All objects of the image; the object itself does not count.

    Returns:
        float: In [0, 1).
    """
    covered = np.zeros_like(item.mask)
    for other in others:
        left, right = max(item.left, other.left), min(item.right, other.right)
        top, bottom = max(item.top, other.top), min(item.bottom, other.bottom)
        if other is item or other.is_crowd or left >= right or top >= bottom:
            continue
        covered[top - item.top:bottom - item.top, left - item.left:right - item.left] |= other.mask[
            top - other.top:bottom - other.top, left - other.left:right - other.left]
    return float(np.count_nonzero(covered & ~item.mask & 1) / item.mask.size)


def contact_share(one: SceneObject, other: SceneObject, reach: int) -> float:
    """Tell how much of the shorter outline of two objects runs along the other object.

    Args:
        one (SceneObject): An object with a mask.
        other (SceneObject): Another one.
        reach (int): How near is along, in pixels.

    Returns:
        float: Share of the outline's pixels that are within reach of the other's mask, the larger one of both ways.
    """
    left, right = min(one.left, other.left), max(one.right, other.right)
    top, bottom = min(one.top, other.top), max(one.bottom, other.bottom)
    if right - left > one.width + other.width + reach or bottom - top > one.height + other.height + reach:
        return 0.0
    masks, edges = [], []
    for item in (one, other):
        mask = np.zeros((bottom - top + 2, right - left + 2), np.uint8)
        mask[item.top - top + 1:item.bottom - top + 1, item.left - left + 1:item.right - left + 1] = item.mask
        masks.append(cv2.dilate(mask, np.ones((2 * reach + 1, ) * 2, np.uint8)))
        edges.append(mask - cv2.erode(mask, np.ones((3, 3), np.uint8)))
    return max(float(np.count_nonzero(edge & near) / np.count_nonzero(edge)) for edge, near in zip(edges, masks[::-1]))


def is_split_by(one: SceneObject, other: SceneObject, between: SceneObject) -> bool:
    """Tell whether all that is between two objects is a third one, which may hide that they are parts of one object.

    Args:
        one (SceneObject): An object with a mask.
        other (SceneObject): Another one.
        between (SceneObject): The third one.

    Returns:
        bool: Whether the straight line between the two centres of mass leads from the one or the other directly to the
        third object.
    """
    steps = np.linspace(one.mass_centre, other.mass_centre, 100)
    inside = [_contains(item, steps) for item in (one, other, between)]
    outside = ~(inside[0] | inside[1])
    return bool(outside.any()) and float(inside[2][outside].mean()) >= 0.9


def _contains(item: SceneObject, points: np.ndarray) -> np.ndarray:
    """Which points ``(n, 2)``, as x and y, are on an object."""
    columns, rows = (points - (item.left, item.top)).astype(int).T
    inside = (columns >= 0) & (columns < item.width) & (rows >= 0) & (rows < item.height)
    inside[inside] = item.mask[rows[inside], columns[inside]] > 0
    return inside
