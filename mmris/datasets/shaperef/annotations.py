"""Masks in the forms that COCO's instance files use."""

from typing import Any, Dict, Iterator, List, Tuple

import numpy as np

from mmris.utils.run_lengths import encode_mask

_Corner = Tuple[int, int]


def annotate_mask(mask: np.ndarray) -> Dict[str, Any]:
    """Describe a mask by the fields ``segmentation``, ``area``, ``bbox`` and ``iscrowd``.

    The segmentation is a list of polygons along the edges of the pixels, one per connected part,
    or compressed run lengths (``counts`` as str) where polygons cannot tell of a hole. Either
    way pycocotools decodes it to the same mask.

    Args:
        mask: ``(height, width)`` bool, not empty.

    Returns:
        The fields, in plain Python numbers; the box is ``[x, y, width, height]`` in pixels.
    """
    rows, columns = np.nonzero(mask)
    left, top = int(columns.min()), int(rows.min())
    width, height = int(columns.max()) + 1 - left, int(rows.max()) + 1 - top
    return {
        'segmentation': _segmentation(mask, left, top, width, height),
        'area': len(rows),
        'bbox': [left, top, width, height],
        'iscrowd': 0,
    }


def _segmentation(mask: np.ndarray, left: int, top: int, width: int, height: int) -> Any:
    loops = list(_trace_edges(mask[top:top + height, left:left + width]))
    # Outer edges run clockwise as seen on screen, the edges of holes the other way round.
    if all(_doubled_area(loop) > 0 for loop in loops):
        return [[value for x, y in loop for value in (x + left, y + top)] for loop in loops]
    return encode_mask(mask)


def _doubled_area(loop: List[_Corner]) -> int:
    return sum(x * next_y - next_x * y
               for (x, y), (next_x, next_y) in zip(loop, loop[1:] + loop[:1]))


def _edge_steps(mask: np.ndarray) -> Dict[_Corner, List[_Corner]]:
    """Map each corner of the mask's edge to the directions (dx, dy) that leave it."""
    padded = np.pad(mask, 1)
    inside = padded[1:-1, 1:-1]
    steps: Dict[_Corner, List[_Corner]] = {}
    # Of each side of a pixel: the neighbour across it, where its edge starts, where it leads.
    sides = (
        (padded[:-2, 1:-1], (0, 0), (1, 0)),
        (padded[1:-1, 2:], (1, 0), (0, 1)),
        (padded[2:, 1:-1], (1, 1), (-1, 0)),
        (padded[1:-1, :-2], (0, 1), (0, -1)),
    )
    for neighbour, (start_x, start_y), direction in sides:
        for row, column in zip(*(axis.tolist() for axis in np.nonzero(inside & ~neighbour))):
            steps.setdefault((column + start_x, row + start_y), []).append(direction)
    return steps


def _trace_edges(mask: np.ndarray) -> Iterator[List[_Corner]]:
    """Follow every edge of the mask with its inside to the right; yield the corners of each."""
    steps = _edge_steps(mask)
    while steps:
        start = corner = min(steps)
        direction = None
        loop = []
        while True:
            choices = steps[corner]
            # Two edges leave a corner where pixels touch diagonally; turning right keeps them
            # apart.
            right = direction and (-direction[1], direction[0])
            step = right if right in choices else choices[0]
            choices.remove(step)
            if not choices:
                del steps[corner]
            if step != direction:
                loop.append(corner)
            direction = step
            corner = (corner[0] + step[0], corner[1] + step[1])
            if corner == start:
                break
        yield loop
