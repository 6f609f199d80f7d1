"""Files that are made of an image: named after it, and never in place of another image's."""

import json
import os
import sys
from itertools import count
from pathlib import Path
from typing import Iterator, List, Optional, Sequence, Union

import numpy as np
from PIL import Image, PngImagePlugin

from mmris.utils import write_atomically
from mmris.utils.text import to_well_formed

# The text of a PNG that says which image it was made of, as a file:// address.
SOURCE = 'Source'
# Bytes of a file's name. File systems take 255; a file on its way has a longer name (see write_atomically).
LONGEST_NAME = 200


def choose_outputs(folder: Union[str, Path], source: Union[str, Path], endings: Sequence[str]) -> List[Path]:
    """Choose names for the files that are made of an image, and take possession of them.

    They are ``cat_1_mask.png`` for ``photos/cat.jpg`` and the ending ``'_1_mask.png'``. Where a file of one of these
    names was made of another image, or nobody knows of what, the names are those of ``cat.jpg``, then of ``cat.jpg-2``
    and so on. The same image therefore gets the names that it had before, however often it is asked for, and no output
    of another image is overwritten, also if several processes write to one folder.

    Names are shortened where a file system could not take them, and what is no text in them becomes U+FFFD.

    Args:
        folder (str or Path): Where to. It is made if it is missing.
        source (str or Path): The image file. Two are the same if their absolute paths are.
        endings (Sequence[str]): What the names end with, at least one: a ``.png`` first, then others and ``.json``.
            Every run for the same purpose writes the first one of them, whatever else it writes: it holds the names
            for the others. A JSON file says what it was made of under ``source`` (see :func:`image_address`).

    Returns:
        list[Path]: A path for each ending. The first one is there already, as a picture of one pixel.
    """
    folder, address = Path(folder), image_address(source)
    folder.mkdir(parents=True, exist_ok=True)
    room = LONGEST_NAME - max(len(os.fsencode(ending)) for ending in endings)
    candidates = ([folder / f'{name}{ending}' for ending in endings] for name in _names(Path(source), room))
    return next(
        paths for paths in candidates
        if all(not path.exists() or _source_address(path) == address for path in paths) and _reserve(paths[0], address))


def save_output(picture: np.ndarray, path: Union[str, Path], source: Union[str, Path]) -> None:
    """Write a picture that was made of an image.

    Args:
        picture (ndarray): ``(H, W)`` or ``(H, W, 3)`` uint8.
        path (str or Path): One of :func:`choose_outputs`.
        source (str or Path): The image file, as there.
    """
    with write_atomically(path) as temporary:
        Image.fromarray(picture).save(temporary, pnginfo=_describe(image_address(source)))


def _names(source: Path, room: int) -> Iterator[str]:
    """What outputs of an image may be named, the shortest first, in so many bytes of UTF-8."""
    stem, name = _writable(source.stem), _writable(source.name)
    yield _shorten(stem, room)
    if name != stem:
        yield _shorten(name, room)
    for number in count(2):
        ending = f'-{number}'
        yield f'{_shorten(name, room - len(ending))}{ending}'


def _writable(name: str) -> str:
    """A name that the file system's encoding has: what it lacks becomes U+FFFD, or ``_`` where it lacks that too."""
    encoding = sys.getfilesystemencoding()
    name = to_well_formed(name)
    return ''.join(one if one.encode(encoding, 'ignore') else '_' for one in name)


def _shorten(name: str, room: int) -> str:
    # A character that is cut within its bytes is left out.
    return name.encode()[:room].decode(errors='ignore')


def _reserve(path: Path, address: str) -> bool:
    """Make a file of that name if there is none; whether it is now one of this image."""
    try:
        with open(path, 'xb') as file:
            Image.new('L', (1, 1)).save(file, 'PNG', pnginfo=_describe(address))
    except FileExistsError:
        # There before, or another process was quicker.
        return _source_address(path) == address
    return True


def _source_address(path: Path) -> Optional[str]:
    """The address of the image that a file was made of; None if nothing in it says."""
    try:
        if path.suffix == '.json':
            return json.loads(path.read_text(encoding='utf-8')).get(SOURCE.lower())
        with Image.open(path) as picture:
            return picture.info.get(SOURCE)
    except Exception:
        # Another's file, in whatever state.
        return None


def _describe(address: str) -> PngImagePlugin.PngInfo:
    text = PngImagePlugin.PngInfo()
    text.add_text(SOURCE, address)
    return text


def image_address(source: Union[str, Path]) -> str:
    """The ``file://`` address of an image file, by which outputs say what they were made of."""
    # Plain ASCII, whatever the bytes of the path.
    return Path(os.path.abspath(source)).as_uri()
