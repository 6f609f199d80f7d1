"""What the references of one image are about: one object each, or for a share of them none or several."""

from typing import List

import numpy as np

from .no_target import refer_to_nothing
from .phrasing import Reference, refer
from .scene import Scene
from .several import refer_to_several

_MOST_REFERRED = 4
_MOST_SENTENCES = 3


def refer_to_objects(generator: np.random.Generator, scene: Scene, style: str) -> List[Reference]:
    """Refer to two to four objects of a scene, each by one to three sentences.

    Args:
        generator: Source of chance.
        scene: The scene.
        style: One of :data:`mmris.names.SHAPEREF_STYLES`.

    Returns:
        A reference of one target for each, by rising number.
    """
    wanted = int(generator.integers(2, min(len(scene.objects), _MOST_REFERRED) + 1))
    references: List[Reference] = []
    for number in generator.permutation(len(scene.objects)).tolist():
        if len(references) == wanted:
            break
        count = int(generator.integers(1, _MOST_SENTENCES + 1))
        sentences = refer(generator, scene, number, style, count)
        if sentences:
            references.append(Reference((number, ), sentences))
    return sorted(references, key=lambda reference: reference.targets)


def replace_some(generator: np.random.Generator, scene: Scene, style: str, references: List[Reference],
                 no_target_share: float, several_share: float) -> List[Reference]:
    """Replace a share of the references to one object by such to nothing or to several.

    A reference that takes the place of another has as many sentences, where as many are found, and is made from the
    same object: its sentences miss the object by little, or fit others too.

    Args:
        generator: Source of chance.
        scene: The scene.
        style: One of :data:`mmris.names.SHAPEREF_STYLES`.
        references: References of one target.
        no_target_share: With which chance a reference becomes one without a target.
        several_share: With which chance it becomes one with several targets.

    Returns:
        As many references, of which those that are left are as they were. All sentences of the image differ.
    """
    mixed = list(references)
    for place, draw in enumerate(generator.random(len(references)).tolist()):
        if draw < no_target_share:
            other = refer_to_nothing(generator, scene, references[place], style, mixed)
        elif draw >= 1 - several_share:
            other = refer_to_several(generator, scene, references[place], style, mixed)
        else:
            continue
        # Where all that can be said has been said, a reference stays as it was.
        if other.sentences:
            mixed[place] = other
    return mixed
