"""ShapeRef: synthetic scenes with referring expressions, in the files of the RefCOCO family."""

from mmris.names import SHAPEREF_STYLES as STYLES

from .phrasing import Sentence, refer
from .records import ImageRecord, make_record
from .rendering import COLOURS, SHAPES
from .scene import SIZES, Scene, SceneObject, sample_scene
from .writer import DEFAULT_COUNTS, write_shaperef

__all__ = [
    'COLOURS', 'DEFAULT_COUNTS', 'SHAPES', 'SIZES', 'STYLES', 'ImageRecord', 'Scene', 'SceneObject',
    'Sentence', 'make_record', 'refer', 'sample_scene', 'write_shaperef'
]
