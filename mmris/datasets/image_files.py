"""The image files of a set: what they are called, and how large they are."""

import io
import os
import re
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, NamedTuple, Tuple

from PIL import Image, UnidentifiedImageError

from mmris.images.orientation import hide_metadata, read_orientation

_OF_2014 = re.compile(r'COCO_(?:train|val)2014_([0-9]{12}\.jpg)')
_OF_2017 = re.compile(r'[0-9]{12}\.jpg')


class ImageHeader(NamedTuple):
    """What an image file says of its pixels.

    Attributes:
        height, width (int): Their number as stored.
        orientation (int): How to turn them upright: 1 to 8, as EXIF numbers them.
    """

    height: int
    width: int
    orientation: int


def image_path(image: dict, image_folder: str) -> str:
    """Find the file of a COCO image.

    COCO's images of 2014 and 2017 are the same files under two names. If the file is not there under the name in the
    annotations, but under the other, this is the one.

    Args:
        image (dict): The image's entry, with ``file_name``.
        image_folder (str): The images' folder.

    Returns:
        str: The path; by the name in the annotations if there is no such file at all.
    """
    path = os.path.join(image_folder, image['file_name'])
    if exists(path):
        return path
    folder, name = os.path.split(path)
    return next((other for one in _other_names(name) if os.path.isfile(other := os.path.join(folder, one))), path)


def _other_names(name: str) -> Tuple[str, ...]:
    match = _OF_2014.fullmatch(name)
    if match:
        return (match[1], )
    return tuple(f'COCO_{part}2014_{name}' for part in ('train', 'val')) if _OF_2017.fullmatch(name) else ()


def exists(path: str) -> bool:
    """Tell whether there is such a file. One of another file backend (``s3://...``) is not looked up."""
    return '://' in path or os.path.isfile(path)


def read_image_size(path: str) -> Tuple[int, int]:
    """Read the size of an image file, as its pixels are stored, without decoding it.

    Args:
        path (str): The file.

    Returns:
        tuple[int, int]: Its height and width in pixels.

    Raises:
        ValueError: If it is of no image format that Pillow reads, or truncated before its size.
        OSError: If it is missing, or may not be read.
    """
    with _naming(path), Image.open(path) as image:
        return image.height, image.width


def read_image_header(path: str) -> ImageHeader:
    """Read size and orientation of an image file without decoding it.

    Args:
        path (str): The file.

    Returns:
        ImageHeader: Both.

    Raises:
        ValueError, OSError: See :func:`read_image_size`.
    """
    visible, hidden = hide_metadata(Path(path).read_bytes())
    with _naming(path), Image.open(io.BytesIO(visible)) as image:
        return ImageHeader(image.height, image.width, read_orientation({**image.info, **hidden}))


@contextmanager
def _naming(path: str) -> Iterator[None]:
    """Name the file in what Pillow says of it."""
    try:
        yield
    except (FileNotFoundError, PermissionError):
        raise
    except Exception as error:
        # Pillow's readers raise whatever their parsing of broken bytes runs into. Of a file of no known format, it says
        # only what it was opened as.
        why = '' if isinstance(error, UnidentifiedImageError) else f' ({error})'
        raise ValueError(f'{path} is not an image that Pillow reads{why}. Fetch it again, or convert it to JPEG '
                         f'or PNG.') from error
