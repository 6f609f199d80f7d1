"""Image files of people's own data: which file an export means, and how its annotations lie on the stored pixels."""

import os
import posixpath
import re
import unicodedata
from dataclasses import dataclass
from typing import Callable, Dict, Iterable, List, Optional, Sequence, Tuple

import numpy as np

from mmris.datasets.image_files import ImageHeader, read_image_header
from mmris.images.orientation import turn_back
from mmris.utils.text import shorten

_UPLOAD = re.compile(r'[0-9a-f]{8}-(.+)', re.DOTALL)
_NOT_OF_A_STORED_NAME = re.compile(r'[^-\w.]')


class OwnImages:
    """The image files below a folder, found by what exports call them.

    Args:
        folder (str, optional): The folder.
        path (str): The export, for messages.

    Raises:
        ValueError: If no folder is given.
        FileNotFoundError: If there is none.
    """

    def __init__(self, folder: Optional[str], path: str) -> None:
        if folder is None:
            raise ValueError(f'{path} is read together with its images. Name their folder: --images FOLDER.')
        if not os.path.isdir(folder):
            raise FileNotFoundError(f'{folder}, the folder of the images of {path}, is missing. Name another: --images '
                                    f'FOLDER.')
        self.folder = folder
        self.names = list_files(folder)
        self._by_base = _group(self.names, os.path.basename)
        self._by_stored_name = _group(self.names, lambda name: _stored_name(os.path.basename(name)))
        self._by_loose_base = _group(self.names, lambda name: _loosen(os.path.basename(name)))
        self._meant_by: Dict[str, str] = {}
        self._headers: Dict[str, ImageHeader] = {}

    def find(self, reference: str, where: str) -> Optional[str]:
        """Find the file that an export means by a path or a name.

        Args:
            reference (str): Such as ``'photos/1.jpg'``. Folders that are not there are no obstacle: exports have those
                of a server. A prefix that Label Studio gives uploads may be missing in the folder. If no file has this
            very name, one is found that writes accents in the other way of Unicode, as macOS does, or has the ending
            in another case.
            where (str): Which entry this is, for messages.

        Returns:
            str, optional: The name below the folder. None if there is no such file.

        Raises:
            ValueError: If several files could be meant, or the file is already taken for another reference.
        """
        reference = normalise_path(reference).lstrip('/')
        base = posixpath.basename(reference)
        upload = _UPLOAD.fullmatch(base)
        found = self._by_base.get(base, [])
        if not found and upload:
            found = self._by_base.get(upload[1]) or self._by_stored_name.get(upload[1], [])
        for one in (base, *(upload.groups() if upload else ())):
            found = found or self._by_loose_base.get(_loosen(one), [])
        name = self._choose(reference, found, where)
        # Names that differ by the case of their ending may be two images, of which only one is here.
        reference = unicodedata.normalize('NFC', reference)
        if name is not None and self._meant_by.setdefault(name, reference) != reference:
            raise ValueError(f'{where} and an entry before it have different images, {shorten(reference)} and '
                             f'{shorten(self._meant_by[name])}, but {self.folder} has only {name} for both. Name the '
                             f'files there as the export does, with its folders or prefixes.')
        return name

    def _choose(self, reference: str, found: Sequence[str], where: str) -> Optional[str]:
        if not found:
            return None
        lengths = [common_end(_loosen(reference), _loosen(name)) for name in found]
        best = [name for name, length in zip(found, lengths) if length == max(lengths)]
        if len(best) > 1:
            raise ValueError(f'{where} has the image {shorten(reference)}, which could be any of '
                             f'{", ".join(best[:5])} in {self.folder}. Remove the others, or put the files into '
                             f'folders as the export names them.')
        return best[0]

    def header(self, name: str) -> ImageHeader:
        """Read size and orientation of a file.

        Args:
            name (str): Its name below the folder.

        Returns:
            ImageHeader: Both.

        Raises:
            ValueError: If it is not an image.
        """
        if name not in self._headers:
            self._headers[name] = read_image_header(os.path.join(self.folder, name))
        return self._headers[name]


def normalise_path(path: str) -> str:
    """Write a path with slashes and without parts such as ``.``: ``'./a.jpg'`` and ``'a.jpg'`` are one."""
    return posixpath.normpath(path.replace('\\', '/'))


def list_files(folder: str) -> List[str]:
    """List all files below a folder, with slashes between the parts of their names; sorted."""
    return sorted(
        os.path.relpath(os.path.join(parent, name), folder).replace(os.sep, '/')
        for parent, _, names in os.walk(folder) for name in names)


def _group(names: Iterable[str], key: Callable[[str], str]) -> Dict[str, List[str]]:
    groups: Dict[str, List[str]] = {}
    for name in names:
        groups.setdefault(key(name), []).append(name)
    return groups


def _loosen(name: str) -> str:
    stem, ending = posixpath.splitext(unicodedata.normalize('NFC', name))
    return stem + ending.lower()


def _stored_name(name: str) -> str:
    # As Django, on which Label Studio is built, names files that are uploaded.
    return _NOT_OF_A_STORED_NAME.sub('', name.strip().replace(' ', '_'))


def common_end(one: str, other: str) -> int:
    """How many parts two paths have in common, from their ends. Of a whole match it is more than of any other."""
    count = 0
    for part, counterpart in zip(reversed(one.split('/')), reversed(other.split('/'))):
        if part != counterpart:
            return count
        count += 1
    return count + (one == other)


@dataclass(frozen=True)
class Turn:
    """How annotations of an image lie on its pixels as stored.

    Attributes:
        orientation (int): The EXIF orientation that was applied before the image was annotated; 1 if none was.
        height, width (int): The size of the image as stored, in pixels.
    """

    orientation: int
    height: int
    width: int

    @property
    def annotated_size(self) -> Tuple[int, int]:
        """tuple[int, int]: Height and width of the image as it was annotated."""
        return (self.width, self.height) if self.orientation >= 5 else (self.height, self.width)

    def turn_polygon(self, points: Sequence[float]) -> List[float]:
        """Bring a polygon to the stored pixels.

        Args:
            points (Sequence[float]): ``x, y, x, y, ...`` in pixels of the image as annotated.

        Returns:
            list[float]: The same points in pixels as stored.
        """
        height, width = self.annotated_size
        turned: List[float] = []
        for x, y in zip(points[::2], points[1::2]):
            if self.orientation in (2, 3, 6, 7):
                x = width - x
            if self.orientation in (3, 4, 7, 8):
                y = height - y
            turned += (y, x) if self.orientation >= 5 else (x, y)
        return turned

    def turn_mask(self, mask: np.ndarray) -> np.ndarray:
        """Bring a mask of the image as annotated, ``(H, W)``, to the stored pixels."""
        return turn_back(mask, self.orientation)


def find_turn(header: ImageHeader, height: int, width: int, *, upright: Optional[bool], where: str) -> Turn:
    """Find how an image was turned when it was annotated.

    Args:
        header (ImageHeader): The image file.
        height (int): Height of the image as annotated, in pixels.
        width (int): Its width.
        upright (bool, optional): Whether images were upright when they were annotated, for those whose size does not
            tell: squares, and those that EXIF turns by 180 degrees or mirrors. None: not known.
        where (str): Which entry this is, for messages.

    Returns:
        Turn: How.

    Raises:
        ValueError: If neither the stored nor the upright image has this size.
        ValueError: If both have, they differ, and ``upright`` is None.
    """
    stored, size, orientation = (header.height, header.width), (height, width), header.orientation
    turned = stored[::-1] if orientation >= 5 else stored
    if size not in (stored, turned):
        also = f', upright {turned[0]} x {turned[1]}' if turned != stored else ''
        raise ValueError(f'{where} was annotated at {height} x {width} pixels (height x width), but the image file has '
                         f'{stored[0]} x {stored[1]}{also}. Use the image that was annotated, not a resized one.')
    if orientation != 1 and stored == turned and upright is None:
        raise ValueError(f'{where}: the EXIF of the image says how to turn it (orientation {orientation}), and its '
                         f'size is the same before and after. Say what the masks belong to: --upright true to the '
                         f'image as viewers show it, --upright false to its pixels as stored.')
    applied = size == turned and (stored != turned or upright)
    return Turn(orientation if applied else 1, *stored)
