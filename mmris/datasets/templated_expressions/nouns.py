"""What the objects of a category are called in a sentence, and which categories people mix up."""

import re
from typing import Dict, Mapping, Optional, Set

# Names of COCO that differ from what people say.
_NOUNS: Dict[str, str] = {
    'hair drier': 'hair dryer',
    'mouse': 'computer mouse',
    'remote': 'remote control',
    'scissors': 'pair of scissors',
    'sports ball': 'ball',
    'tv': 'screen',
}

# Categories of COCO whose outlines often are not what the noun says: one piece or a heap of them, one ski or a pair, a
# book or a shelf, a table with or without what is on it, a basin, a bathtub or its image in the mirror, any of several
# steel cabinets of a kitchen.
_UNRELIABLE = frozenset({
    'banana', 'book', 'broccoli', 'carrot', 'dining table', 'oven', 'pizza', 'refrigerator', 'sandwich', 'sink', 'skis'
})

# Within a group, annotators disagree on the category, or people use one word for several.
_LOOK_ALIKES = (
    frozenset({'car', 'truck', 'bus', 'van'}),
    frozenset({'bicycle', 'motorcycle'}),
    frozenset({'chair', 'couch', 'bench'}),
    frozenset({'couch', 'bed'}),
    frozenset({'backpack', 'handbag', 'suitcase'}),
    frozenset({'bottle', 'wine glass', 'cup', 'vase'}),
    frozenset({'cup', 'bowl'}),
    frozenset({'vase', 'potted plant'}),
    frozenset({'fork', 'knife', 'spoon'}),
    frozenset({'apple', 'orange'}),
    frozenset({'cake', 'donut', 'sandwich', 'hot dog', 'pizza'}),
    frozenset({'tv', 'laptop'}),
    frozenset({'remote', 'cell phone'}),
    frozenset({'microwave', 'oven', 'toaster'}),
    frozenset({'skis', 'snowboard', 'surfboard', 'skateboard'}),
    frozenset({'sheep', 'cow', 'horse'}),
)

# Words in lower case, as in "fire hydrant", "t-shirt" or "2-seater".
_NAME = re.compile(r"[a-z0-9]+(['-][a-z0-9]+)*( [a-z0-9]+(['-][a-z0-9]+)*)*")
# Most words that end so name one thing: glass, bus, tennis.
_SINGULAR_ENDINGS = ('ss', 'us', 'is')


def plain_name(name: str) -> str:
    """Bring a category's name to lower case words: ``Bow_(decorative ribbons)`` becomes ``bow``.

    Args:
        name (str): The name as a file has it.

    Returns:
        str: The name without what stands in parentheses, with single spaces between its words.
    """
    return ' '.join(re.sub(r'\([^)]*\)', ' ', name.lower()).replace('_', ' ').split())


def noun_of(name: str, nouns: Optional[Mapping[str, Optional[str]]] = None) -> Optional[str]:
    """Name one object of a category, as after "the".

    Args:
        name (str): The category's name as the file has it.
        nouns (Mapping[str, str or None], optional): Nouns by category names, which come first; None as the noun leaves
            a category out. Default: None, no such nouns.

    Returns:
        str, optional: The noun in lower case. None if there is none for a single object: the name is a plural, or is
        not of English letters, or outlines of this category of COCO often are not one whole object.
    """
    if nouns is not None and name in nouns:
        return nouns[name]
    name = plain_name(name)
    if name in _NOUNS:
        return _NOUNS[name]
    is_plural = name.endswith('s') and not name.endswith(_SINGULAR_ENDINGS)
    if name in _UNRELIABLE or is_plural or not _NAME.fullmatch(name):
        return None
    return name


def look_alikes(name: str, others: Set[str]) -> Set[str]:
    """Find the categories whose objects could be meant by the name of a category too.

    Args:
        name (str): The category, by its :func:`plain_name`.
        others (set[str]): Categories in the image, by their plain names.

    Returns:
        set[str]: Those of ``others`` in a group of look-alikes with ``name``, and those that end or begin in its
        words, as "teddy bear" does in "bear".
    """
    alike = {other for group in _LOOK_ALIKES if name in group for other in group}
    found = {other for other in others
             if other in alike or other.endswith(f' {name}') or other.startswith(f'{name} ')}
    return found - {name}
