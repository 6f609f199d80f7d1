"""Which objects of an image sentences may be about, and why not the others."""

from itertools import combinations
from typing import Dict, List, Mapping, NamedTuple, Optional

from mmris.utils.ids import Id

from .nouns import look_alikes, plain_name
from .scene import Scene, SceneObject, common_area, contact_share, covered_share, is_split_by

CROWD = 'is a crowd region'
NO_NOUN = 'its category is left out'
CROWD_BESIDE = 'a crowd of its category is in the image'
NO_MASK = 'an object of its category has no mask'
LOOK_ALIKE = 'a category that looks alike or has a similar name is in the image'
TOO_MANY = 'too many of its category are in the image'
DOUBLED = 'masks coincide: annotated twice'
PARTS = 'may be a part of another of its category'
TINY = 'is tiny'
BUSY = 'is small in a busy image'
CUT_OFF = 'is small and cut off by the border'
HIDDEN = 'is in pieces, or mostly hidden'
MERGED = 'its mask covers another object'
NO_SENTENCE = 'no sentence fits this object alone'
REASONS = (CROWD, NO_NOUN, CROWD_BESIDE, NO_MASK, LOOK_ALIKE, TOO_MANY, DOUBLED, PARTS, TINY, BUSY,
           CUT_OFF, HIDDEN, MERGED, NO_SENTENCE)
"""Why there is no sentence about an object, in the order in which the reasons are looked for."""

# Annotators of COCO outline some ten objects of a category; where there are many, the next one is likely to be there
# without an outline.
_MOST_OF_A_CATEGORY = 6
_DOUBLED_IN_CATEGORY, _DOUBLED_ACROSS = 0.5, 0.6
# Annotators sometimes outline the parts of one object one by one: they touch along much of an outline, or lie on both
# sides of what hides the rest. Near is a share of the image's longer side.
_PARTS_CONTACT, _PARTS_REACH = 0.25, 0.008
# In an image of this many objects, more of them have no outline, and people overlook the small ones.
_BUSY, _SMALLEST_IN_BUSY = 15, 0.05
# Shares of the image. Below the first, an object that reaches the border is a remainder that is hard to recognise.
_SMALLEST_CUT_OFF, _SMALL = 0.05, 0.03
# Share of an object's extent that others cover. Of a small object less must be hidden, or it is hard to recognise.
_LARGEST_PART, _MOST_COVERED, _MOST_COVERED_OF_SMALL = 0.85, 0.5, 0.15
# An outline that takes in most of another object of this share of its area is of both: a dog with its frisbee.
_COVERED_OF_OTHER, _SHARE_OF_OTHER = 0.7, 0.15


class Group(NamedTuple):
    """The objects of a category about which sentences may be.

    Attributes:
        noun (str): What one of them is called.
        members (list[SceneObject]): All objects of the category in the image.
        eligible (list[SceneObject]): Those that a sentence may be about, or may name as its landmark.
    """

    noun: str
    members: List[SceneObject]
    eligible: List[SceneObject]


class Eligible(NamedTuple):
    """What :func:`find_eligible` found in an image.

    Attributes:
        groups (list[Group]): One per category with an eligible object.
        left_out (dict[int or str, str]): For the annotation of each other object one of :data:`REASONS`.
    """

    groups: List[Group]
    left_out: Dict[Id, str]


def find_eligible(scene: Scene, nouns: Mapping[str, Optional[str]], min_area: float) -> Eligible:
    """Sort out the objects that cannot be told apart or recognised with certainty.

    Args:
        scene (Scene): The image.
        nouns (Mapping[str, str or None]): For the name of each category the noun of one object, or None.
        min_area (float): Share of the image below which an object is tiny.

    Returns:
        Eligible: The other objects by their categories, and the reason for each object that was sorted out.
    """
    left_out = {item.annotation_id: CROWD for item in scene.objects if item.is_crowd}
    groups = []
    for category in dict.fromkeys(item.category for item in scene.objects):
        members = [item for item in scene.of_category(category) if not item.is_crowd]
        reason = _reason_of_category(category, members, scene, nouns)
        reasons = {item.annotation_id: reason or _reason_of_object(item, scene, min_area) for item in members}
        left_out.update({one: found for one, found in reasons.items() if found is not None})
        eligible = [item for item in members if reasons[item.annotation_id] is None]
        if eligible:
            groups.append(Group(nouns[category], members, eligible))
    return Eligible(groups, left_out)


def _reason_of_category(category: str, members: List[SceneObject], scene: Scene,
                        nouns: Mapping[str, Optional[str]]) -> Optional[str]:
    """Why nothing can be said of any object of a category; None if something can."""
    names = {plain_name(item.category) for item in scene.objects if item.category != category}
    if nouns[category] is None:
        return NO_NOUN
    if any(item.is_crowd for item in scene.of_category(category)):
        return CROWD_BESIDE
    if any(item.mask is None for item in members):
        return NO_MASK
    # Two categories of one noun cannot be told apart by words.
    same_noun = any(nouns[item.category] == nouns[category] for item in scene.objects if item.category != category)
    if same_noun or look_alikes(plain_name(category), names):
        return LOOK_ALIKE
    if len(members) > _MOST_OF_A_CATEGORY:
        return TOO_MANY
    if any(_is_doubled(item, other) for item in members for other in scene.objects if other is not item):
        return DOUBLED
    if any(_may_be_parts(item, other, scene) for item, other in combinations(members, 2)):
        return PARTS
    return None


def _is_doubled(item: SceneObject, other: SceneObject) -> bool:
    if other.mask is None or other.is_crowd:
        return False
    common = common_area(item, other)
    if item.category == other.category:
        return common > _DOUBLED_IN_CATEGORY * min(item.area, other.area)
    return common > _DOUBLED_ACROSS * (item.area + other.area - common)


def _may_be_parts(item: SceneObject, other: SceneObject, scene: Scene) -> bool:
    reach = max(2, round(_PARTS_REACH * max(scene.width, scene.height)))
    if contact_share(item, other, reach) >= _PARTS_CONTACT:
        return True
    # What is smaller than either hardly hides a part of it.
    least = max(item.area, other.area)
    thirds = [one for one in scene.objects if one.area >= least and one.category != item.category]
    return any(is_split_by(item, other, third) for third in thirds)


def _reason_of_object(item: SceneObject, scene: Scene, min_area: float) -> Optional[str]:
    """Why nothing can be said of an object, though something can of others of its category."""
    share = scene.share(item)
    if share < min_area:
        return TINY
    if len(scene.objects) >= _BUSY and share < _SMALLEST_IN_BUSY:
        return BUSY
    if share < _SMALLEST_CUT_OFF and scene.touches_border(item):
        return CUT_OFF
    others = [other for other in scene.objects if other.mask is not None]
    most = _MOST_COVERED_OF_SMALL if share < _SMALL else _MOST_COVERED
    if item.largest_part < _LARGEST_PART or covered_share(item, others) > most:
        return HIDDEN
    if any(_covers(item, other) for other in others if other is not item):
        return MERGED
    return None


def _covers(item: SceneObject, other: SceneObject) -> bool:
    common = common_area(item, other)
    return common >= _SHARE_OF_OTHER * item.area and common >= _COVERED_OF_OTHER * other.area
