"""Sampling a scene: which objects there are, where they are, and which part of each is seen."""

from dataclasses import dataclass
from functools import cached_property
from typing import List, Optional, Sequence, Tuple

import numpy as np

from .rendering import COLOURS, REACH, SHAPES, Piece, find_owners, make_piece, render

SIZES = ('small', 'big')

# The place of a split in this tuple seeds its scenes and numbers its images: append only.
SPLITS = ('train', 'val', 'testA', 'testB', 'test')

_OBJECT_COUNTS = {'testA': (2, 3), 'testB': (4, 5)}
_DEFAULT_OBJECT_COUNT = (2, 4)

# Radii as fractions of the longer side, since letterboxing scales by that side: at 64 x 64 a small
# object is 15 to 18 pixels across and a big one 24 to 29.
_RADIUS_RANGE = {'small': (0.12, 0.14), 'big': (0.19, 0.225)}
_MINIMUM_CENTRE_DISTANCE = 0.05  # of the longer side
_MINIMUM_VISIBLE_SHARE = 0.6
_PLACEMENT_ATTEMPTS = 30

_Appearance = Tuple[str, str, str]


@dataclass(frozen=True, eq=False)
class SceneObject:
    """One object as it can be seen.

    Attributes:
        shape: One of :data:`SHAPES`.
        colour: One of :data:`COLOURS`.
        size: One of :data:`SIZES`.
        centre: Centroid ``(x, y)`` of the visible part, in pixels from the image's top left
            corner (the middle of the first pixel is 0.5), rounded to two decimals.
        mask: ``(height, width)`` bool, the visible part. Masks of one scene are disjoint.
    """

    shape: str
    colour: str
    size: str
    centre: Tuple[float, float]
    mask: np.ndarray


@dataclass(frozen=True, eq=False)
class Scene:
    """One picture and what is in it.

    Attributes:
        image: ``(height, width, 3)`` uint8, RGB.
        objects: In drawing order: a later object may hide part of an earlier one.
    """

    image: np.ndarray
    objects: Tuple[SceneObject, ...]

    @property
    def width(self) -> int:
        """Width of the image in pixels."""
        return self.image.shape[1]

    @property
    def height(self) -> int:
        """Height of the image in pixels."""
        return self.image.shape[0]

    @cached_property
    def relative_centres(self) -> List[Tuple[float, float]]:
        """Centres of the objects as shares of the width and the height."""
        return [(item.centre[0] / self.width, item.centre[1] / self.height)
                for item in self.objects]


def sample_scene(*, seed: int, split: str, index: int) -> Scene:
    """Draw one scene, the same for the same arguments.

    Every scene holds at least two objects that no other object equals in shape, colour and size,
    so that at least two can be told apart by appearance alone. Shapes and colours are drawn from
    a few per scene, so that objects usually share one of them.

    Args:
        seed: Seed of the whole set, >= 0.
        split: One of :data:`SPLITS`; ``testA`` has 2 to 3 objects, ``testB`` 4 to 5, others 2 to 4.
        index: Number of the scene in its split, >= 0.

    Returns:
        A scene 96 to 144 pixels wide and 80 to 128 high, never square. Of each object at least
        60 % is visible.
    """
    generator = np.random.default_rng([seed, SPLITS.index(split), index])
    fewest, most = _OBJECT_COUNTS.get(split, _DEFAULT_OBJECT_COUNT)
    pieces = None
    while pieces is None:
        width = int(generator.integers(96, 145))
        height = int(generator.integers(80, 129))
        if width == height:
            continue
        count = int(generator.integers(fewest, most + 1))
        appearances = _sample_appearances(generator, count)
        pieces = _place_pieces(generator, appearances, width, height)
    owners = find_owners(pieces, width, height)
    objects = []
    for number, (shape, colour, size) in enumerate(appearances, start=1):
        mask = owners == number
        objects.append(SceneObject(shape, colour, size, _centroid(mask), mask))
    return Scene(image=render(generator, pieces, width, height), objects=tuple(objects))


def _sample_appearances(generator: np.random.Generator, count: int) -> List[_Appearance]:
    """Draw ``count`` triples (shape, colour, size), at least two of them without an equal."""
    while True:
        most = 2 if count <= 3 else 3
        shapes = generator.permutation(SHAPES)[:generator.integers(1, most + 1)].tolist()
        colours = generator.permutation(COLOURS)[:generator.integers(1, most + 1)].tolist()
        triples = [(shapes[generator.integers(len(shapes))],
                    colours[generator.integers(len(colours))],
                    SIZES[int(generator.random() < 0.42)]) for _ in range(count)]
        if sum(triples.count(triple) == 1 for triple in triples) >= 2:
            return triples


def _place_pieces(generator: np.random.Generator, appearances: Sequence[_Appearance], width: int,
                  height: int) -> Optional[List[Piece]]:
    """Find a place for every object, or return None where the image is too full."""
    longer_side = max(width, height)
    # Some scenes are loose, some have heaps: how near two objects come, in the sum of their radii.
    spacing = generator.uniform(0.1, 1.1)
    pieces: List[Piece] = []
    placed: List[Tuple[np.ndarray, float]] = []
    for shape, colour, size in appearances:
        for _ in range(_PLACEMENT_ATTEMPTS):
            radius = longer_side * generator.uniform(*_RADIUS_RANGE[size])
            margin = REACH * radius
            centre = generator.uniform((margin, margin), (width - margin, height - margin))
            angle = np.deg2rad(generator.uniform(-10, 10))
            if any(
                    np.hypot(*(centre - other_centre)) < max(
                        spacing * (radius + other_radius), _MINIMUM_CENTRE_DISTANCE * longer_side)
                    for other_centre, other_radius in placed):
                continue
            piece = make_piece(
                shape=shape, colour=colour, centre=centre, radius=radius, angle=angle)
            if _enough_visible(pieces + [piece], width, height):
                pieces.append(piece)
                placed.append((centre, radius))
                break
        else:
            return None
    return pieces


def _enough_visible(pieces: Sequence[Piece], width: int, height: int) -> bool:
    visible = np.bincount(find_owners(pieces, width, height).ravel(), minlength=len(pieces) + 1)
    return all(seen >= _MINIMUM_VISIBLE_SHARE * piece.solid.sum()
               for seen, piece in zip(visible[1:], pieces))


def _centroid(mask: np.ndarray) -> Tuple[float, float]:
    rows, columns = np.nonzero(mask)
    return round(float(columns.mean()) + 0.5, 2), round(float(rows.mean()) + 0.5, 2)
