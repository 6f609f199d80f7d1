"""Pictures that come with the page: ShapeRef scenes, with sentences about them."""

from pathlib import Path
from typing import NamedTuple, Tuple

FOLDER = Path(__file__).resolve().parent / 'examples'


class Example(NamedTuple):
    """A picture and sentences about it.

    Attributes:
        path (Path): The picture.
        sentences (tuple[str]): The sentences.
    """

    path: Path
    sentences: Tuple[str, ...]


EXAMPLES: Tuple[Example, ...] = (
    Example(FOLDER / 'scene_1.jpg', ('the small blue triangle', 'orange triangle to the left of little blue triangle')),
    Example(FOLDER / 'scene_2.jpg', ('the yellow square', 'left purple object', 'right purple object')),
    Example(FOLDER / 'scene_3.jpg', ('big red square', 'yellow object', 'top thing')),
    Example(FOLDER / 'scene_4.jpg', ('the yellow star', 'circle at bottom', 'upper green thing')),
)
"""Scenes of the sort that ``mmris try`` makes, of seeds 1 and 2."""
