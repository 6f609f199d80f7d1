"""Refs of forms that hold one sentence after the other."""

import os
from typing import Any, Dict, List, Sequence, Set, Tuple

from mmris.utils.ids import Id

from .content import RawRef


class RefGroups:
    """Refs in the making: sentences about one target of an image become one ref."""

    def __init__(self) -> None:
        self.refs: List[RawRef] = []
        self._groups: Dict[tuple, dict] = {}
        self._pairs: Dict[Tuple[str, Id, Any], str] = {}

    def add(self, path: str, place: str, ref: dict, sentence: dict) -> None:
        """Add a sentence.

        Args:
            path (str): The file that it is from.
            place (str): Where in the file.
            ref (dict): What its ref has beside the sentences. Ids are as :func:`mmris.utils.ids.read_id` returns them;
                ``ann_id`` is an id or a list of ids. The first sentence of a split, an image and a target decides on
                ``ref_id``.
            sentence (dict): ``sent_id``, and ``sent`` or ``raw`` or both. If another file has given a sentence of
                this ref the same id, the name of the file is added to it.
        """
        targets = ref['ann_id'] if isinstance(ref['ann_id'], list) else [ref['ann_id']]
        key = (ref['split'], ref['image_id'], *targets)
        if key not in self._groups:
            self._groups[key] = dict(ref, sentences=[])
            self.refs.append(RawRef(path, place, self._groups[key]))
        group = self._groups[key]
        pair = (group['split'], group['ref_id'], sentence['sent_id'])
        if self._pairs.setdefault(pair, path) != path:
            stem = os.path.splitext(os.path.basename(path))[0]
            sentence = dict(sentence, sent_id=f'{stem}-{sentence["sent_id"]}')
        group['sentences'].append(sentence)

    def add_faulty(self, path: str, place: str, ref: dict, fault: str) -> None:
        """Add an entry that is to be reported.

        Args:
            path (str): The file that it is from.
            place (str): Where in the file.
            ref (dict): What is known of its ref: ``split``, without which it is reported whatever split is wanted, and
                ``image_id``.
            fault (str): What is wrong with it.
        """
        self.refs.append(RawRef(path, place, ref, fault))


def read_target(ids: Sequence[Id], image_id: Id) -> Tuple[Any, Id]:
    """Make the ids of a ref of the annotations that are its target.

    Args:
        ids (Sequence[int or str]): The annotations; none if nothing on the image fits.
        image_id (int or str): The image.

    Returns:
        tuple: ``ann_id`` of the ref, and an id for the ref itself.
    """
    unique = list(dict.fromkeys(ids))
    if len(unique) == 1:
        return unique[0], unique[0]
    return unique, '+'.join(map(str, unique)) or f'none-{image_id}'


class ImageList:
    """Images in the making: each once, however many sentences are on it."""

    def __init__(self) -> None:
        self.images: List[dict] = []
        self._seen: Set[tuple] = set()

    def add(self, image_id: Id, file_name: str, **size: Any) -> None:
        """Add an image.

        Args:
            image_id (int or str): Its id.
            file_name (str): Its file.
            **size: ``height`` and ``width`` in pixels, if the form has them.
        """
        key = (image_id, file_name, repr(size))
        # An image with two names or sizes stays in the list twice, so that it is reported.
        if key not in self._seen:
            self._seen.add(key)
            self.images.append(dict(id=image_id, file_name=file_name, **size))
