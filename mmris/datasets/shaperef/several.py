"""Sentences that fit several objects of a scene: "all circles", "both red ones on the left"."""

from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np

from .expressions import Description, Expression
from .phrasing import (
    SIZE_WORDS,
    Reference,
    Sentence,
    draw_expression,
    draw_kinds,
    fill_slots,
    find_hints,
    must_be_concise,
    pick,
)
from .scene import Scene

SEVERAL = 'several'
"""Tag of the sentences with several targets."""

_KIND_WEIGHTS: Dict[str, Dict[str, float]] = {
    'refcoco': {'plain': .45, 'half': .25, 'corner': .05, 'relation': .25},
    'refcoco+': {'plain': .8, 'exclusion': .2},
    'refcocog': {'plain': .3, 'half': .25, 'corner': .05, 'relation': .4},
}
_ROUNDS = 5  # how many times as many expressions are tried as for one object

_NOUNS = ('things', 'objects', 'shapes')
_SPELT_COUNTS = {2: 'two', 3: 'three', 4: 'four', 5: 'five'}

_TEMPLATES: Dict[str, Dict[str, Tuple[str, ...]]] = {
    'refcoco': {
        'plain': ('{targets}', ),
        'half': ('{targets} {at} the {side}', '{targets} {at} {side}'),
        'corner': ('{targets} in the {corner}', ),
        'relation': ('{targets} {relation} {landmark}', '{targets} {relation} the {landmark}'),
    },
    'refcoco+': {
        'plain': ('{targets}', ),
        'exclusion': ('{targets} that are not {excluded}', '{targets} not {excluded}'),
    },
    'refcocog': {
        'plain': ('{targets}', '{parted}'),
        'half': ('{targets} {at} the {side} of the {picture}', '{targets} that are {at} the {side}',
                 '{targets} {at} the {side} side of the {picture}'),
        'corner': ('{targets} in the {corner} corner of the {picture}',
                   '{targets} that are in the {corner} corner'),
        'relation': ('{targets} that are {relation} the {landmark}', '{targets} {relation} the {landmark}'),
    },
}


def refer_to_several(generator: np.random.Generator, scene: Scene, model: Reference, style: str,
                     others: Sequence[Reference]) -> Reference:
    """Refer to an object and others together, in several ways.

    Args:
        generator: Source of chance.
        scene: The scene.
        model: A reference to one object: this object is among the targets, and as many sentences are wanted.
        style: One of :data:`mmris.names.SHAPEREF_STYLES`.
        others: References whose sentences are not wanted again, and whose targets only if there are no other ones.

    Returns:
        A reference to at least two objects, of at most as many sentences as ``model`` has, or of none. Their skills
        include :data:`SEVERAL`.
    """
    (number, ), count = model.targets, len(model.sentences)
    taken = {sentence.text for reference in others for sentence in reference.sentences}
    found: Dict[Tuple[int, ...], List[Expression]] = {}
    for _ in range(_ROUNDS):
        for kind in draw_kinds(generator, _KIND_WEIGHTS[style], count):
            expression = _find(generator, scene, number, kind)
            if expression is not None:
                found.setdefault(_targets(expression, scene), []).append(expression)
    if not found:
        # All objects together always have a name.
        found[tuple(range(len(scene.objects)))] = [Expression(Description())]
    fresh = found.keys() - {reference.targets for reference in others}
    targets = pick(generator, sorted(fresh or found))
    sentences: Dict[str, Sentence] = {}
    for _ in range(_ROUNDS * count):
        expression = pick(generator, found[targets])
        text = _put_into_words(generator, expression, style, len(targets))
        if text not in taken:
            sentences[text] = Sentence(text, sorted([*expression.skills(), SEVERAL]))
        if len(sentences) == count:
            break
    return Reference(targets, list(sentences.values()))


def _find(generator: np.random.Generator, scene: Scene, number: int, kind: str) -> Optional[Expression]:
    """Draw an expression of one kind; None if it does not clearly fit the object and others."""
    # Several are hardly ever said to be the closest.
    hints = [hint for hint in find_hints(scene, number, kind) if kind != 'relation' or hint[0] != 'closest to']
    if not hints:
        return None
    expression = draw_expression(generator, scene, number, kind, pick(generator, hints))
    # "All things" tells nothing, and is for where there is nothing else to say.
    if expression == Expression(Description()):
        return None
    truths = expression.truths(scene)
    if not truths[number] or None in truths or sum(truths) < 2:
        return None
    if must_be_concise(generator, kind) and any(shorter.truths(scene) == truths for shorter in expression.shortened()):
        return None
    return expression


def _targets(expression: Expression, scene: Scene) -> Tuple[int, ...]:
    return tuple(number for number, truth in enumerate(expression.truths(scene)) if truth)


def _put_into_words(generator: np.random.Generator, expression: Expression, style: str, count: int) -> str:
    target = expression.target
    slots = {}
    kind = fill_slots(generator, expression, slots)
    # The words that say how many come first, and "things" alone needs them.
    is_bare = kind == 'plain' and not target.skills()
    amount = _pick_amount(generator, count, may_be_bare=style != 'refcocog' and not is_bare)
    slots['targets'] = amount + _noun_phrase(generator, target)
    slots['parted'] = slots['targets']
    if target.colour:
        shorter = target._replace(colour=None)
        slots['parted'] = f'{amount}{_noun_phrase(generator, shorter)} that are {target.colour}'
    return pick(generator, _TEMPLATES[style][kind]).format(**slots)


def _pick_amount(generator: np.random.Generator, count: int, *, may_be_bare: bool) -> str:
    """Draw "the ", "all ", "both " or the like, or where it may be bare nothing."""
    spelt = _SPELT_COUNTS[count]
    amounts = ['the ', 'all ', 'all the ', f'the {spelt} ', 'both ' if count == 2 else f'all {spelt} ']
    return pick(generator, [*amounts, '', ''] if may_be_bare else amounts)


def _noun_phrase(generator: np.random.Generator, description: Description) -> str:
    words = []
    if description.size:
        words.append(pick(generator, SIZE_WORDS[description.size]))
    if description.colour:
        words.append(description.colour)
    if description.shape:
        # Of the shapes, one ends in a hiss.
        words.append(description.shape + ('es' if description.shape.endswith('s') else 's'))
    else:
        words.append(pick(generator, (*_NOUNS, 'ones') if words else _NOUNS))
    return ' '.join(words)
