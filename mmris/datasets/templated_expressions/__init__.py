"""Templated sentences for the objects of a detection set, each of which fits exactly one object of its image."""

from .phrasing import TEMPLATES, Sentence, describe, make_generator
from .reader import read_detection_set, read_scene
from .scene import Scene, SceneObject, make_object
from .writer import SKILLS, make_refs, write_expressions

__all__ = [
    'SKILLS', 'TEMPLATES', 'Scene', 'SceneObject', 'Sentence', 'describe', 'make_generator', 'make_object',
    'make_refs', 'read_detection_set', 'read_scene', 'write_expressions'
]
