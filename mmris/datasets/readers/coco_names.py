"""Names of COCO's image files, and the ids in them."""

import os
import re
from typing import Optional

from mmris.utils.ids import Id, read_id

_OF_COCO = re.compile(r'(?:COCO_[a-z]+20[0-9]{2}_)?([0-9]{12})')


def image_id_of_name(file_name: str) -> Optional[Id]:
    """Read the id of an image from the name of its file.

    Args:
        file_name (str): Such as ``COCO_train2014_000000000009.jpg`` (9), ``25.jpg`` of SAIAPR TC-12 (25) or ``a.jpg``.

    Returns:
        int or str, optional: COCO's id, or the name without its ending. None if there is no name.
    """
    stem = os.path.splitext(os.path.basename(file_name))[0]
    match = _OF_COCO.fullmatch(stem)
    return int(match[1]) if match else read_id(stem) if stem else None


def coco_file_name(image_id: int) -> str:
    """Name the file of an image of COCO's train2014, which all images of the RefCOCO family are of."""
    return f'COCO_train2014_{image_id:012d}.jpg'
