"""Files that are made of an image: named after it, and never in place of another image's."""

import json
import os
import sys
from itertools import count
from pathlib import Path
from typing import Iterable, Iterator, List, Optional, Sequence, Union

import numpy as np
from PIL import Image, PngImagePlugin

from mmris.utils import write_atomically
from mmris.utils.terminal import one_line
from mmris.utils.text import shorten, to_well_formed

# The text of a PNG that says which image it was made of.
SOURCE = 'Source'
# Bytes of a file's name. File systems take 255; a file on its way has a longer name (see write_atomically).
LONGEST_NAME = 200


def choose_outputs(folder: Union[str, Path], names: Sequence[str], source: str, endings: Sequence[str]) -> List[Path]:
    """Choose names for the files that are made of an image, and take possession of them.

    They are ``cat_1_mask.png`` for the name ``'cat'`` and the ending ``'_1_mask.png'``. Where a file of one of these
    names was made of another image, or of an unknown one, the next name is taken, then the last one with a number:
    ``cat.jpg-2``. The same image therefore gets the names that it had before, however often it is asked for, and no
    output of another image is overwritten, also if several processes write to one folder.

    Names are shortened where a file system could not take them, and what is no text in them becomes U+FFFD.

    Args:
        folder (str or Path): Where to. It is made if it is missing.
        names (Sequence[str]): What the files may be called, as of :func:`names_of_image`.
        source (str): What says which image it is, such as its :func:`image_address`. It is written into the files.
        endings (Sequence[str]): What the names end with, at least one: a ``.png`` first, then others and ``.json``.
            Every run for the same purpose writes the first one of them, whatever else it writes: it holds the names
            for the others. A JSON file says ``source`` under that key.

    Returns:
        list[Path]: A path for each ending. The first one is there already, as a picture of one pixel.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    room = LONGEST_NAME - max(len(os.fsencode(ending)) for ending in endings)
    candidates = ([folder / f'{name}{ending}' for ending in endings] for name in _numbered(names, room))
    return next(
        paths for paths in candidates
        if all(not path.exists() or _read_source(path) == source for path in paths) and _reserve(paths[0], source))


def save_output(picture: np.ndarray, path: Union[str, Path], source: str) -> None:
    """Write a picture that was made of an image.

    Args:
        picture (ndarray): ``(H, W)`` or ``(H, W, 3)`` uint8.
        path (str or Path): One of :func:`choose_outputs`.
        source (str): Which image it is, as there.
    """
    with write_atomically(path) as temporary:
        Image.fromarray(picture).save(temporary, pnginfo=_describe(source))


def remove_outputs(paths: Iterable[Path], source: str) -> None:
    """Remove files that an earlier run made of an image, up to the first that is missing or of another image.

    Args:
        paths (Iterable[Path]): The files, one after the other; may be endless.
        source (str): Which image it is, as in :func:`choose_outputs`.
    """
    for path in paths:
        if not path.is_file() or _read_source(path) != source:
            return
        path.unlink()


def names_of_image(path: Union[str, Path]) -> List[str]:
    """What outputs of an image file may be called, the shortest first: ``cat`` and ``cat.jpg``."""
    path = Path(path)
    return list(dict.fromkeys([path.stem, path.name]))


def check_name(name: str) -> str:
    """Check that a name can begin the names of files.

    Args:
        name (str): What a user gave.

    Returns:
        str: The same.

    Raises:
        ValueError: If it is empty, or holds a separator of folders or a control character.
    """
    if not name or one_line(name) != name or '/' in name or os.sep in name:
        raise ValueError(f'name={shorten(name)} cannot begin the name of a file: give text on one line without "/". '
                         f'The folder is an argument of its own.')
    return name


def image_address(path: Union[str, Path]) -> str:
    """The ``file://`` address of an image file, by which outputs say what they were made of.

    Two files are the same if their absolute paths are.
    """
    # Plain ASCII, whatever the bytes of the path.
    return Path(os.path.abspath(path)).as_uri()


def _numbered(names: Sequence[str], room: int) -> Iterator[str]:
    """What outputs may be called, in so many bytes of UTF-8."""
    for name in names:
        yield writable_name(name, room)
    for number in count(2):
        ending = f'-{number}'
        yield f'{writable_name(names[-1], room - len(ending))}{ending}'


def writable_name(name: str, room: int) -> str:
    """Make a name that a file system takes.

    Args:
        name (str): What a file is to be called.
        room (int): How many bytes of UTF-8 it may have. The rest is cut off.

    Returns:
        str: The same; a character that the file system's encoding lacks becomes U+FFFD, or ``_`` if it lacks that too.
    """
    encoding = sys.getfilesystemencoding()
    writable = ''.join(one if one.encode(encoding, 'ignore') else '_' for one in to_well_formed(name))
    # A character that is cut within its bytes is left out.
    return writable.encode()[:room].decode(errors='ignore')


def _reserve(path: Path, source: str) -> bool:
    """Make a file of that name if there is none; whether it is now one of this image."""
    try:
        with open(path, 'xb') as file:
            Image.new('L', (1, 1)).save(file, 'PNG', pnginfo=_describe(source))
    except FileExistsError:
        # There before, or another process was quicker.
        return _read_source(path) == source
    return True


def _read_source(path: Path) -> Optional[str]:
    """Which image a file was made of; None if nothing in it says."""
    try:
        if path.suffix == '.json':
            return json.loads(path.read_text(encoding='utf-8')).get(SOURCE.lower())
        with Image.open(path) as picture:
            return picture.info.get(SOURCE)
    except Exception:
        # Another's file, in whatever state.
        return None


def _describe(source: str) -> PngImagePlugin.PngInfo:
    text = PngImagePlugin.PngInfo()
    text.add_text(SOURCE, source)
    return text
