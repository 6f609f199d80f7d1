"""Points of outlines, as forms other than COCO's have them."""

from typing import Any


def flatten_points(points: Any) -> Any:
    """Bring ``[[x, y], ...]`` to a polygon of COCO's, ``[x, y, ...]``.

    Args:
        points (Any): What a file has as an outline.

    Returns:
        Any: The polygon. What is no list of pairs is returned as it is, so that the check of masks shows it.
    """
    if isinstance(points, (list, tuple)) and all(isinstance(one, (list, tuple)) and len(one) == 2 for one in points):
        return [number for one in points for number in one]
    return points
