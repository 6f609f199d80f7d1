"""What a reader makes of files: the content of the REFER files, not yet checked."""

from dataclasses import dataclass, field
from typing import Any, Dict, List, NamedTuple, Optional

from mmris.datasets.problems import ProblemTally


class RawRef(NamedTuple):
    """A ref as a reader found it. Nothing in it is checked yet.

    Attributes:
        path (str): The file that it is from.
        place (str): Where in the file, for messages: ``'ref at position 3'``.
        ref (Any): A dict as in ``refs(...).p``: ``ref_id, ann_id, image_id, split`` and ``sentences``, each a dict of
            ``sent_id`` and ``sent`` or ``raw`` or both. ``ann_id`` is an id, or a list of ids whose union is the
            target. An empty list: nothing on the image fits. Optionally ``target_boxes``, for each of these ids the
            box that the form has beside it (x, y, width, height in pixels) or None: it shows wrong ids.
        fault (str, optional): What is wrong with the entry in the words of its form, to follow its place: ``'lacks
            original_id'``. The ref is then reported with it. Default: None, nothing that the reader saw.
    """

    path: str
    place: str
    ref: Any
    fault: Optional[str] = None


@dataclass(frozen=True)
class Content:
    """The content of a set, not yet checked.

    Attributes:
        refs (list[RawRef]): The refs, of the wanted splits at least.
        instances (dict, optional): ``images``, a list of ``id, file_name`` and, unless they are to be read from the
            image file, ``height, width`` in pixels; ``annotations``, a list of ``id, image_id, segmentation`` (see
            :func:`mmris.datasets.masks.decode_segmentation`) and optionally ``bbox`` (x, y, width, height in pixels),
            ``category_id``, and ``ignored``, an RLE of the pixels that no score shall count; optionally ``categories``,
            a list of ``id, name``. None: the form has none, they are in a COCO annotation file of their own.
        left_out (ProblemTally): What the files hold and the refs do not, by its kind: boxes, objects without a
            sentence. Its ``lines('left out')`` are for the user. Default: nothing.
    """

    refs: List[RawRef]
    instances: Optional[Dict[str, List[Any]]] = None
    left_out: ProblemTally = field(default_factory=ProblemTally)
