"""What an expression means: predicates over a scene, with room for "not clear".

Every predicate answers True, False or None. None stands for cases on which people could
disagree (an object slightly further left than another). An expression is used only if it is True
of one object and False of every other.
"""

from typing import Iterator, List, NamedTuple, Optional, Sequence, Tuple

from .scene import Scene, SceneObject

Truth = Optional[bool]

SIDES = ('left', 'right', 'top', 'bottom')
CORNERS = ('top left', 'top right', 'bottom left', 'bottom right')
RELATIONS = ('left of', 'right of', 'above', 'below', 'next to', 'closest to')

# All lengths are shares: of the width or height for places and directions, of the longer side
# for distances between two objects.
_IN_HALF, _IN_CORNER, _OUT_OF_HALF = 0.4, 0.37, 0.55
_IN_MIDDLE, _OUT_OF_MIDDLE = 0.12, 0.22
_RANK_MARGIN = 0.1
_AHEAD, _NOT_AHEAD = 0.12, 0.03
_STEEPEST = 1.5  # beyond this slope one would no longer say "left of" but "above"
_NEAR, _NOT_NEAR = 0.32, 0.45
_CLOSEST_MARGIN = 0.1


class Description(NamedTuple):
    """What an object looks like; None leaves a property open.

    Attributes:
        shape: The shape it has.
        colour: The colour it has.
        size: The size it has.
        excluded_colour: A colour it does not have.
    """

    shape: Optional[str] = None
    colour: Optional[str] = None
    size: Optional[str] = None
    excluded_colour: Optional[str] = None

    def matches(self, item: SceneObject) -> bool:
        """Tell whether the object looks like this."""
        return (self.shape in (None, item.shape) and self.colour in (None, item.colour)
                and self.size in (None, item.size) and self.excluded_colour != item.colour)

    def skills(self) -> List[str]:
        """List which of shape, colour and size the description uses."""
        used = {
            'shape': self.shape,
            'colour': self.colour or self.excluded_colour,
            'size': self.size
        }
        return [skill for skill, value in used.items() if value]


class Place(NamedTuple):
    """Where in the image an object is.

    Attributes:
        kind: ``'most'`` (further to a side than the others described), ``'half'`` (in that half),
            ``'corner'``, ``'middle'`` or ``'second'`` (second of those described from a side).
        where: One of :data:`SIDES`, one of :data:`CORNERS`, or ``'middle'``.
    """

    kind: str
    where: str


class Relation(NamedTuple):
    """Where an object is with respect to a landmark, the only object that fits a description.

    Attributes:
        kind: One of :data:`RELATIONS`.
        landmark: Describes the landmark.
    """

    kind: str
    landmark: Description


class Expression(NamedTuple):
    """An appearance, and a place or a relation or neither.

    Attributes:
        target: Describes the object referred to.
        place: Where it is in the image.
        relation: Where it is with respect to another object.
    """

    target: Description
    place: Optional[Place] = None
    relation: Optional[Relation] = None

    def skills(self) -> List[str]:
        """List, sorted, which of colour, place, relation, shape and size the words use."""
        used = set(self.target.skills())
        if self.place:
            used.add('place')
        if self.relation:
            used.add('relation')
            used.update(self.relation.landmark.skills())
        return sorted(used)

    def truths(self, scene: Scene) -> List[Truth]:
        """Tell of each object whether the expression is true of it, None where that is unclear."""
        described = [self.target.matches(item) for item in scene.objects]
        if self.relation:
            return _relation_truths(self.relation, described, scene)
        if self.place:
            return _place_truths(self.place, described, scene)
        return list(described)

    def fits_none(self, scene: Scene) -> bool:
        """Tell whether it is clearly false of every object."""
        return all(truth is False for truth in self.truths(scene))

    def fits_only(self, scene: Scene, number: int) -> bool:
        """Tell whether it is true of object ``number`` and clearly false of every other."""
        truths = self.truths(scene)
        return truths[number] is True and truths.count(False) == len(truths) - 1

    def needs_every_part(self, scene: Scene, number: int) -> bool:
        """Tell whether leaving out any one part (but the landmark's) would make it unfit."""
        return not any(shorter.fits_only(scene, number) for shorter in self.shortened())

    def shortened(self) -> Iterator['Expression']:
        """Leave out one part after the other: place, relation, and what the target looks like."""
        if self.place:
            yield self._replace(place=None)
        if self.relation:
            yield self._replace(relation=None)
        for name in ('shape', 'colour', 'size', 'excluded_colour'):
            if getattr(self.target, name):
                yield self._replace(target=self.target._replace(**{name: None}))


def is_in_region(where: str, share: Tuple[float, float]) -> Truth:
    """Tell whether a point lies in a part of the image.

    Args:
        where: One of :data:`SIDES` (that half), one of :data:`CORNERS`, or ``'middle'``.
        share: The point ``(x, y)`` as shares of the width and the height.

    Returns:
        True, False, or None where it is not clear.
    """
    if where == 'middle':
        off = max(abs(share[0] - 0.5), abs(share[1] - 0.5))
        return _three_way(off, _IN_MIDDLE, _OUT_OF_MIDDLE)
    sides = where.split()
    if len(sides) == 1:
        return _three_way(_offset(share, where), _IN_HALF, _OUT_OF_HALF)
    return _both(*(_three_way(_offset(share, side), _IN_CORNER, _OUT_OF_HALF) for side in sides))


def is_related(kind: str, scene: Scene, number: int, landmark: int) -> Truth:
    """Tell how one object stands to another, whatever the other objects are.

    Args:
        kind: One of :data:`RELATIONS`. ``'closest to'`` depends on the other objects as well and
            is never more than unclear here.
        scene: The scene.
        number: Number of the object in ``scene.objects``.
        landmark: Number of the other object.

    Returns:
        True, False, or None where it is not clear.
    """
    if kind == 'closest to':
        return None
    if kind == 'next to':
        return _three_way(_distance(scene, number, landmark), _NEAR, _NOT_NEAR)
    side = {'left of': 'left', 'right of': 'right', 'above': 'top', 'below': 'bottom'}[kind]
    shares = scene.relative_centres
    ahead = _offset(shares[landmark], side) - _offset(shares[number], side)
    if ahead <= _NOT_AHEAD:
        return False
    (x, y), (other_x, other_y) = scene.objects[number].centre, scene.objects[landmark].centre
    along, across = abs(x - other_x), abs(y - other_y)
    if side in ('top', 'bottom'):
        along, across = across, along
    return True if ahead >= _AHEAD and across <= _STEEPEST * along else None


def _offset(share: Tuple[float, float], side: str) -> float:
    """Distance from a side of the image, as a share."""
    value = share[0] if side in ('left', 'right') else share[1]
    return value if side in ('left', 'top') else 1 - value


def _three_way(value: float, true_up_to: float, false_from: float) -> Truth:
    if value <= true_up_to:
        return True
    return False if value >= false_from else None


def _both(first: Truth, second: Truth) -> Truth:
    if first is False or second is False:
        return False
    return True if first and second else None


def _place_truths(place: Place, described: Sequence[bool], scene: Scene) -> List[Truth]:
    if place.kind in ('most', 'second'):
        return _rank_truths(place, described, scene.relative_centres)
    return [is_in_region(place.where, share) if fits else False
            for share, fits in zip(scene.relative_centres, described)]


def _rank_truths(place: Place, described: Sequence[bool],
                 shares: Sequence[Tuple[float, float]]) -> List[Truth]:
    """Judge "the left star" or "the second star from the left" among the described objects."""
    offsets = [_offset(share, place.where) for share in shares]
    ranked = sorted((number for number, fits in enumerate(described) if fits),
                    key=offsets.__getitem__)
    rank = 0 if place.kind == 'most' else 1
    # "Second" of two is what one would call the other side's first.
    enough = len(ranked) >= (1 if rank == 0 else 3)
    gaps = [offsets[after] - offsets[before] for before, after in zip(ranked, ranked[1:])]
    clear = enough and all(gap >= _RANK_MARGIN for gap in gaps[:rank + 1])
    if clear and rank == 0:
        clear = offsets[ranked[0]] <= _IN_HALF
    if not clear:
        return [None if fits else False for fits in described]
    return [number == ranked[rank] for number in range(len(described))]


def _relation_truths(relation: Relation, described: Sequence[bool], scene: Scene) -> List[Truth]:
    landmarks = [number for number, item in enumerate(scene.objects)
                 if relation.landmark.matches(item)]
    if not landmarks:
        return [False] * len(described)
    if len(landmarks) > 1:
        return [None] * len(described)
    landmark = landmarks[0]
    candidates = [fits and number != landmark for number, fits in enumerate(described)]
    if relation.kind == 'closest to':
        return _closest_truths(candidates, landmark, scene)
    return [is_related(relation.kind, scene, number, landmark) if fits else False
            for number, fits in enumerate(candidates)]


def _distance(scene: Scene, first: int, second: int) -> float:
    (x, y), (other_x, other_y) = scene.objects[first].centre, scene.objects[second].centre
    return ((x - other_x)**2 + (y - other_y)**2)**0.5 / max(scene.width, scene.height)


def _closest_truths(candidates: Sequence[bool], landmark: int, scene: Scene) -> List[Truth]:
    ranked = sorted((_distance(scene, number, landmark), number)
                    for number, fits in enumerate(candidates) if fits)
    # Of a single candidate nobody would say "closest".
    if len(ranked) < 2 or ranked[1][0] - ranked[0][0] < _CLOSEST_MARGIN:
        return [None if fits else False for fits in candidates]
    return [number == ranked[0][1] for number in range(len(candidates))]
