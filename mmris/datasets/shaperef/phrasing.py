"""Finding expressions for an object and putting them into words, in the style of each dataset."""

from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from .expressions import CORNERS, RELATIONS, SIDES, Description, Expression, Place, Relation, is_in_region, is_related
from .rendering import COLOURS
from .scene import Scene, SceneObject

_NOUNS = ('one', 'thing', 'object')
SIZE_WORDS = {'small': ('small', 'small', 'little'), 'big': ('big', 'big', 'large')}

KIND_WEIGHTS: Dict[str, Dict[str, float]] = {
    'refcoco': {'plain': .18, 'most': .15, 'half': .1, 'corner': .1, 'middle': .06, 'second': .07,
                'relation': .34},
    'refcoco+': {'plain': .8, 'exclusion': .2},
    'refcocog': {'plain': .1, 'half': .1, 'corner': .07, 'middle': .05, 'relation': .68},
}
"""How often each kind of expression is tried; the shares that come out differ, since not every
object can be told by every kind."""

# How often a description names the shape, the colour and the size.
_NAMING_RATES: Dict[str, Tuple[float, float, float]] = {
    'plain': (.7, .65, .5),
    'exclusion': (.75, 0., .4),
    'place': (.6, .35, .2),
    'relation': (.65, .35, .25),
    'landmark': (.85, .5, .4),
}
_SHARE_WITHOUT_IDLE_WORDS = 0.75
_KIND_ATTEMPTS = 5  # how many kinds are tried for one sentence
_WORD_ATTEMPTS = 8  # how many expressions of one kind are tried
_LANDMARK_ATTEMPTS = 4  # how many descriptions of a landmark are tried

_TEMPLATES: Dict[str, Dict[str, Tuple[str, ...]]] = {
    'refcoco': {
        'plain': ('{target}', '{target}', 'the {target}'),
        'most': ('{side} {target}', '{side} {target}', '{far} {target}'),
        'half': ('{target} {at} the {side}', '{target} {at} {side}'),
        'corner': ('{corner} {target}', '{target} {corner}', '{target} in the {corner}'),
        'middle': ('middle {target}', 'center {target}', '{target} in the middle'),
        'second': ('second {target} from the {side}', 'second {target} from {side}'),
        'relation': ('{target} {relation} {landmark}', '{target} {relation} the {landmark}',
                     'the {target} {relation} the {landmark}'),
    },
    'refcoco+': {
        'plain': ('{target}', '{target}', 'the {target}'),
        'exclusion': ('{target} that is not {excluded}', 'the {target} that is not {excluded}',
                      '{target} not {excluded}'),
    },
    'refcocog': {
        'plain': ('the {target}', 'the {parted}', 'the {parted}'),
        'half': ('the {target} {at} the {side} of the {picture}',
                 'the {target} that is {at} the {side}',
                 'the {target} {at} the {side} side of the {picture}'),
        'corner': ('the {target} in the {corner} corner of the {picture}',
                   'the {target} that is in the {corner} corner'),
        'middle': ('the {target} in the middle of the {picture}',
                   'the {target} that is in the center of the {picture}'),
        'relation': ('the {target} that is {relation} the {landmark}',
                     'the {target} {relation} the {landmark}',
                     'the {target} which is {relation} the {landmark}'),
    },
}

_RELATION_WORDS: Dict[str, Tuple[str, ...]] = {
    'left of': ('left of', 'to the left of'),
    'right of': ('right of', 'to the right of'),
    'above': ('above', ),
    'below': ('below', 'under'),
    'next to': ('next to', 'near'),
    'closest to': ('closest to', 'nearest to'),
}
_FAR_WORDS = {'left': ('leftmost', 'far left'), 'right': ('rightmost', 'far right'),
              'top': ('upper', ), 'bottom': ('lower', )}


class Sentence(NamedTuple):
    """A referring expression in words.

    Attributes:
        text: Lower-case ASCII words, separated by single spaces.
        skills: Sorted, of ``colour, place, relation, shape, size``: what the words use. Of a sentence
            that does not fit exactly one object, also a tag that says so.
    """

    text: str
    skills: List[str]


class Reference(NamedTuple):
    """Sentences that are about the same objects.

    Attributes:
        targets: Numbers of the objects in ``scene.objects``, rising; empty if the sentences fit nothing.
        sentences: The sentences, at least one.
    """

    targets: Tuple[int, ...]
    sentences: List[Sentence]


def refer(generator: np.random.Generator, scene: Scene, number: int, style: str,
          count: int) -> List[Sentence]:
    """Refer to one object of a scene in several ways.

    Args:
        generator: Source of chance.
        scene: The scene.
        number: Number of the object in ``scene.objects``.
        style: One of :data:`mmris.names.SHAPEREF_STYLES`.
        count: How many sentences to look for.

    Returns:
        At most ``count`` different sentences, each of which fits this object and no other; an
        empty list where none was found. One is always found for an object that no other equals
        in shape, colour and size.
    """
    sentences: Dict[str, Sentence] = {}
    for kind in draw_kinds(generator, KIND_WEIGHTS[style], count):
        expression = find_expression(generator, scene, number, kind)
        if expression is not None:
            text = put_into_words(generator, expression, style)
            sentences[text] = Sentence(text, expression.skills())
        if len(sentences) == count:
            break
    full = describe_fully(scene.objects[number])
    if not sentences and full.fits_only(scene, number):
        text = put_into_words(generator, full, style)
        sentences[text] = Sentence(text, full.skills())
    return list(sentences.values())


def draw_kinds(generator: np.random.Generator, weights: Mapping[str, float], count: int) -> List[str]:
    """Draw the kinds of expressions to try for ``count`` sentences, by the weights of the kinds."""
    return generator.choice(list(weights), size=_KIND_ATTEMPTS * count, p=list(weights.values())).tolist()


def describe_fully(item: SceneObject) -> Expression:
    """Describe an object by its shape, colour and size."""
    return Expression(Description(shape=item.shape, colour=item.colour, size=item.size))


def pick(generator: np.random.Generator, options: Sequence[Any]) -> Any:
    """Draw one of the options."""
    return options[int(generator.integers(len(options)))]


def must_be_concise(generator: np.random.Generator, kind: str) -> bool:
    """Draw whether an expression of this kind must need each of its parts."""
    # A negation that rules nothing out would be odd rather than redundant.
    return kind == 'exclusion' or bool(generator.random() < _SHARE_WITHOUT_IDLE_WORDS)


def find_expression(generator: np.random.Generator, scene: Scene, number: int,
                    kind: str) -> Optional[Expression]:
    """Look for an expression of one kind that fits the object alone."""
    hints = find_hints(scene, number, kind)
    concise = must_be_concise(generator, kind)
    for _ in range(_WORD_ATTEMPTS if hints else 0):
        expression = draw_expression(generator, scene, number, kind, pick(generator, hints))
        if expression.fits_only(scene, number) and not (
                concise and not expression.needs_every_part(scene, number)):
            return expression
    return None


def find_hints(scene: Scene, number: int, kind: str) -> Sequence[Any]:
    """List what, beside its appearance, may be true of the object, to save on rejected draws."""
    if kind == 'plain':
        return (None, )
    if kind == 'exclusion':
        return [colour for colour in COLOURS if colour != scene.objects[number].colour]
    if kind == 'relation':
        others = [other for other in range(len(scene.objects)) if other != number]
        return [(relation, other) for other in others for relation in RELATIONS
                if is_related(relation, scene, number, other) is not False]
    if kind == 'second':
        # Along the width only: heights vary too little for three clear ranks.
        return ('left', 'right')
    regions = {'corner': CORNERS, 'middle': ('middle', )}.get(kind, SIDES)
    return [where for where in regions if is_in_region(where, scene.relative_centres[number])]


def draw_expression(generator: np.random.Generator, scene: Scene, number: int, kind: str,
                    hint: Any) -> Expression:
    """Draw an expression whose description of the object is true, with one of the object's hints."""
    target = _draw_description(generator, scene.objects[number], kind)
    if kind == 'plain':
        return Expression(target)
    if kind == 'exclusion':
        return Expression(target._replace(excluded_colour=hint))
    if kind != 'relation':
        return Expression(target, place=Place(kind, hint))
    relation, landmark = hint
    for _ in range(_LANDMARK_ATTEMPTS):
        described = _draw_description(generator, scene.objects[landmark], 'landmark')
        if sum(map(described.matches, scene.objects)) == 1:
            break
    return Expression(target, relation=Relation(relation, described))


def _draw_description(generator: np.random.Generator, item: SceneObject, kind: str) -> Description:
    rates = _NAMING_RATES.get(kind, _NAMING_RATES['place'])
    draws = generator.random(3).tolist()
    return Description(*(value if draw < rate else None for draw, rate, value in zip(
        draws, rates, (item.shape, item.colour, item.size))))


def _noun_phrase(generator: np.random.Generator, description: Description) -> str:
    words = []
    if description.size:
        words.append(pick(generator, SIZE_WORDS[description.size]))
    if description.colour:
        words.append(description.colour)
    words.append(description.shape or pick(generator, _NOUNS))
    return ' '.join(words)


def _parted_phrase(generator: np.random.Generator, description: Description) -> str:
    """Put the colour, or else the size, behind the noun: "big star that is red"."""
    if description.colour:
        shorter = Description(shape=description.shape, size=description.size)
        return f'{_noun_phrase(generator, shorter)} that is {description.colour}'
    if description.size:
        shorter = Description(shape=description.shape)
        size = pick(generator, SIZE_WORDS[description.size])
        return f'{_noun_phrase(generator, shorter)} that is {size}'
    return _noun_phrase(generator, description)


def put_into_words(generator: np.random.Generator, expression: Expression, style: str) -> str:
    """Put an expression about one object into words."""
    slots = {
        'target': _noun_phrase(generator, expression.target),
        'parted': _parted_phrase(generator, expression.target),
    }
    kind = fill_slots(generator, expression, slots)
    return pick(generator, _TEMPLATES[style][kind]).format(**slots)


def fill_slots(generator: np.random.Generator, expression: Expression, slots: Dict[str, Any]) -> str:
    """Put all of an expression but its target into words.

    Args:
        generator: Source of chance.
        expression: The expression.
        slots: Gets the words by the names of the slots in templates.

    Returns:
        The kind of the expression, by which to choose a template.
    """
    target, place, relation = expression.target, expression.place, expression.relation
    slots['picture'] = pick(generator, ('picture', 'image'))
    slots['excluded'] = target.excluded_colour
    kind = 'exclusion' if target.excluded_colour else 'plain'
    if place:
        kind = place.kind
        slots['side'] = place.where
        slots['at'] = 'on' if place.where in ('left', 'right') else 'at'
        if kind == 'most':
            slots['far'] = pick(generator, _FAR_WORDS[place.where])
        slots['corner'] = place.where
        if generator.random() < 0.3:
            slots['corner'] = place.where.replace('top', 'upper').replace('bottom', 'lower')
    elif relation:
        kind = 'relation'
        slots['relation'] = pick(generator, _RELATION_WORDS[relation.kind])
        slots['landmark'] = _noun_phrase(generator, relation.landmark)
    return kind
