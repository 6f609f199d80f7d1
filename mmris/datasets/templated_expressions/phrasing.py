"""Sentences for the objects of one image: finding what fits, drawing some of it, and putting it into words."""

import hashlib
from typing import Dict, Iterator, List, Mapping, NamedTuple, Optional, Tuple

import numpy as np

from mmris.utils.ids import Id

from .eligibility import NO_SENTENCE, Eligible, Group, find_eligible
from .meanings import Meaning
from .places import find_places
from .relations import find_relations
from .scene import Scene, SceneObject
from .sizes import find_sizes

TEMPLATES: Dict[str, Tuple[str, ...]] = {
    'only': ('the {noun}', ),
    'side': ('the {where} {noun}', '{where} {noun}'),
    'most': ('the {where}most {noun}', '{noun} farthest to the {where}'),
    'half': ('the {noun} on the {where}', '{noun} on the {where} side of the picture'),
    'second': ('the second {noun} from the {where}', 'second {noun} from the {where}'),
    'middle': ('the middle {noun}', 'the {noun} in the middle'),
    'larger': ('the {larger} {noun}', '{larger} {noun}'),
    'largest': ('the {largest} {noun}', '{largest} {noun}'),
    'beside': ('the {noun} next to the {landmark}', '{noun} beside the {landmark}'),
    'side of': ('the {noun} to the {where} of the {landmark}', '{noun} {where} of the {landmark}'),
}
"""The ways to say each kind of meaning, the more explicit one first."""

_SIDES = {'top': 'upper', 'bottom': 'lower'}
_LARGER = {'big': 'larger', 'small': 'smaller'}
_LARGEST = {'big': 'largest', 'small': 'smallest'}


class Sentence(NamedTuple):
    """A referring sentence.

    Attributes:
        text (str): Lower-case words, separated by single spaces.
        skills (list[str]): Sorted, of ``category``, ``place``, ``relation`` and ``size``: what the sentence needs.
    """

    text: str
    skills: List[str]


class Described(NamedTuple):
    """The sentences about an image.

    Attributes:
        sentences (dict[int or str, list[Sentence]]): Those about each object, by the id of its annotation.
        left_out (dict[int or str, str]): For the annotation of each other object, why there are none: one of
            :data:`mmris.datasets.templated_expressions.eligibility.REASONS`.
    """

    sentences: Dict[Id, List[Sentence]]
    left_out: Dict[Id, str]


def describe(scene: Scene, nouns: Mapping[str, Optional[str]], *, generator: np.random.Generator, count: int,
             min_area: float) -> Described:
    """Write sentences for the objects of an image, each of which fits its object and clearly no other.

    Args:
        scene (Scene): The image.
        nouns (Mapping[str, str or None]): For the name of each category the noun of one object, or None.
        generator (Generator): Source of chance. It decides which of the fitting sentences are drawn.
        count (int): The most sentences of an object.
        min_area (float): Share of the image below which an object gets no sentence.

    Returns:
        Described: The sentences, and why the other objects have none.
    """
    eligible = find_eligible(scene, nouns, min_area)
    sentences, left_out = {}, dict(eligible.left_out)
    for group in eligible.groups:
        for target in group.eligible:
            meanings = list(find_meanings(scene, eligible, group, target))
            if meanings:
                sentences[target.annotation_id] = _draw(group.noun, meanings, generator, count)
            else:
                left_out[target.annotation_id] = NO_SENTENCE
    return Described(sentences, left_out)


def find_meanings(scene: Scene, eligible: Eligible, group: Group, target: SceneObject) -> Iterator[Meaning]:
    """Find all claims that fit an object and clearly no other.

    Args:
        scene (Scene): The image.
        eligible (Eligible): What sentences may be about.
        group (Group): The objects of the target's category.
        target (SceneObject): One of its eligible objects.

    Yields:
        Meaning: Each claim. Where the noun is enough, there is no other: a longer sentence would train nothing more.
    """
    if len(group.members) == 1:
        yield Meaning('only')
        return
    yield from find_places(scene, group.members, target)
    yield from find_sizes(scene, group.members, target)
    for other in eligible.groups:
        if other is not group and len(other.members) == 1:
            yield from find_relations(scene, group.members, target, other.eligible[0], other.noun)


def make_generator(seed: int, image_id: Id) -> np.random.Generator:
    """Make the source of chance of an image, a function of seed and id: other images of a file change nothing.

    Args:
        seed (int): Seed of the set, >= 0.
        image_id (int or str): Id of the image.

    Returns:
        Generator: The same for the same two values, on all machines.
    """
    digest = hashlib.sha256(f'{seed} {image_id!r}'.encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], 'big'))


def put_into_words(noun: str, meaning: Meaning) -> List[str]:
    """Say a meaning in each way that there is."""
    where = meaning.where
    words = dict(
        noun=noun, landmark=meaning.landmark, where=_SIDES.get(where, where), larger=_LARGER.get(where),
        largest=_LARGEST.get(where))
    return [template.format(**words) for template in TEMPLATES[meaning.kind]]


def _draw(noun: str, meanings: List[Meaning], generator: np.random.Generator, count: int) -> List[Sentence]:
    """Draw sentences: of different meanings first, then other ways to say the same."""
    choices = []
    for position in generator.permutation(len(meanings)).tolist():
        texts = put_into_words(noun, meanings[position])
        order = generator.permutation(len(texts)).tolist()
        choices += [(turn, Sentence(texts[one], list(meanings[position].skills))) for turn, one in enumerate(order)]
    return [sentence for _, sentence in sorted(choices, key=lambda choice: choice[0])[:count]]
