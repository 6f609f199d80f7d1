"""Sentences that fit nothing on a picture: near misses, and things that are absent."""

from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from .expressions import Description, Expression
from .phrasing import (
    KIND_WEIGHTS,
    Reference,
    Sentence,
    describe_fully,
    draw_kinds,
    find_expression,
    pick,
    put_into_words,
)
from .rendering import COLOURS, SHAPES
from .scene import SIZES, Scene

NEAR_MISS, ABSENT = 'near miss', 'absent'
"""Tags of the two kinds of sentences without a target."""

_VALUES = {'shape': SHAPES, 'colour': COLOURS, 'size': SIZES}
_OPPOSITES = {'left': 'right', 'right': 'left', 'top': 'bottom', 'bottom': 'top',
              'left of': 'right of', 'right of': 'left of', 'above': 'below', 'below': 'above'}
_ROUNDS = 3  # how many times as many expressions are tried as for one object: not each can be changed
_PLAIN_ATTEMPTS = 10  # how many sentences of shape, colour and size are tried where no other was found


def refer_to_nothing(generator: np.random.Generator, scene: Scene, model: Reference, style: str,
                     others: Sequence[Reference]) -> Reference:
    """Say something that fits nothing in a scene, in several ways, all near misses or all absent.

    A near miss is an expression that fits an object, after one of its attributes was exchanged: shape, colour or size
    (of the object or of the landmark), place or relation. Attributes that are left still name something on the picture.
    Of what is absent, no object has the shape, the colour or the size.

    Args:
        generator: Source of chance.
        scene: The scene.
        model: A reference to one object: expressions of this object are changed, and as many sentences are wanted.
        style: One of :data:`mmris.names.SHAPEREF_STYLES`.
        others: References whose sentences are not wanted again.

    Returns:
        A reference without targets, of at most as many sentences as ``model`` has, or of none. Their skills include
        :data:`NEAR_MISS` or :data:`ABSENT`.
    """
    (number, ), count = model.targets, len(model.sentences)
    taken = {sentence.text for reference in others for sentence in reference.sentences}
    tag, change = pick(generator, ((NEAR_MISS, _exchange), (ABSENT, _replace)))
    sentences: Dict[str, Sentence] = {}

    def add(expression: Optional[Expression]) -> None:
        changed = None if expression is None else change(generator, scene, expression)
        text = None if changed is None else put_into_words(generator, changed, style)
        if text is not None and text not in taken:
            sentences[text] = Sentence(text, sorted([*changed.skills(), tag]))

    for kind in draw_kinds(generator, KIND_WEIGHTS[style], _ROUNDS * count):
        add(find_expression(generator, scene, number, kind))
        if len(sentences) == count:
            break
    for _ in range(_PLAIN_ATTEMPTS):
        if sentences:
            break
        add(describe_fully(scene.objects[number]))
    return Reference((), list(sentences.values()))


def _exchange(generator: np.random.Generator, scene: Scene, expression: Expression) -> Optional[Expression]:
    """Exchange one attribute so that nothing fits; None where no exchange makes a near miss."""
    near_misses: Dict[str, List[Expression]] = {}
    for attribute, changed in _exchanges(expression):
        if _is_near_miss(changed, scene):
            near_misses.setdefault(attribute, []).append(changed)
    if not near_misses:
        return None
    found = near_misses[pick(generator, list(near_misses))]
    # "Red circle" is told best from what is there where there is something red, and a circle.
    hard = [one for one in found if all(_is_present(scene, *named) for named in _named(one))]
    return pick(generator, hard or found)


def _exchanges(expression: Expression) -> Iterator[Tuple[str, Expression]]:
    """Yield every expression with one other attribute, after the attribute's name."""
    target, place, relation = expression.target, expression.place, expression.relation
    for name, other in _other_descriptions(target):
        yield name, expression._replace(target=other)
    if place and place.kind in ('half', 'corner'):
        for side in place.where.split():
            yield 'place', expression._replace(place=place._replace(where=place.where.replace(side, _OPPOSITES[side])))
    if relation:
        if relation.kind in _OPPOSITES:
            yield 'relation', expression._replace(relation=relation._replace(kind=_OPPOSITES[relation.kind]))
        for _, other in _other_descriptions(relation.landmark):
            yield 'landmark', expression._replace(relation=relation._replace(landmark=other))


def _other_descriptions(description: Description) -> Iterator[Tuple[str, Description]]:
    for name, values in _VALUES.items():
        used = getattr(description, name)
        for value in values:
            if used not in (None, value):
                yield name, description._replace(**{name: value})


def _is_near_miss(changed: Expression, scene: Scene) -> bool:
    """Tell whether nothing fits, although something on the picture has a part of what is said."""
    named = _named(changed)
    parts = len(named) + sum(map(bool, (changed.target.excluded_colour, changed.place, changed.relation)))
    if parts < 2 or not changed.fits_none(scene):
        return False
    # "The star left of the star" would be odd if there is a single star.
    if changed.relation and any(changed.target.matches(item) and changed.relation.landmark.matches(item)
                                for item in scene.objects if changed.target.skills()):
        return False
    return not named or any(_is_present(scene, *one) for one in named)


def _named(expression: Expression) -> List[Tuple[str, Any]]:
    """List shapes, colours and sizes that an expression names."""
    described = [expression.target] + ([expression.relation.landmark] if expression.relation else [])
    return [(name, getattr(one, name)) for one in described for name in _VALUES if getattr(one, name)]


def _is_present(scene: Scene, name: str, value: str) -> bool:
    return any(getattr(item, name) == value for item in scene.objects)


def _replace(generator: np.random.Generator, scene: Scene, expression: Expression) -> Optional[Expression]:
    """Replace all that is named by what no object has; None where neither shape nor colour is named."""
    target, relation = _make_absent(generator, scene, expression.target), expression.relation
    if not (target.shape or target.colour):
        return None
    if relation is None:
        return expression._replace(target=target)
    landmark = _make_absent(generator, scene, relation.landmark)
    # As above, and "the star left of the thing" would say nothing that is absent about the thing.
    if not (landmark.shape or landmark.colour) or landmark.shape == target.shape:
        return None
    return expression._replace(target=target, relation=relation._replace(landmark=landmark))


def _make_absent(generator: np.random.Generator, scene: Scene, description: Description) -> Description:
    """Describe what shares nothing with any object. A size is left out where both sizes are there."""
    values = {}
    for name, all_values in _VALUES.items():
        absent = [value for value in all_values if not _is_present(scene, name, value)]
        if getattr(description, name) and absent:
            values[name] = pick(generator, absent)
    return Description(**values)
