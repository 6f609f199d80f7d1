"""A folder of masks of one's own: a PNG an object, and beside it a text file with its sentences.

The masks of ``photo.jpg`` are ``photo.png``, ``photo_<anything>.png`` or ``photo/<anything>.png``. The sentences of
``photo_1.png`` are in ``photo_1.txt``, one a line.
"""

import os
import posixpath
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Set

from .content import Content
from .form import Form
from .mask_files import read_mask_image, select_object
from .opening import Folder
from .options import SPLIT_OPTIONS, read_flag, read_text
from .own_images import OwnImages, find_turn
from .own_set import OwnSet, encode_mask, split_lines
from .source import Source

_IMAGES = ('.jpg', '.jpeg', '.png', '.webp', '.bmp', '.tif', '.tiff')


def _recognise(value: Any) -> bool:
    return isinstance(value, Folder) and any(name.lower().endswith('.png') for name in value.names)


def _read(source: Source) -> Content:
    own = OwnSet(source)
    mask_values = read_text(source.options, 'mask_values', choices=('binary', ))
    upright = read_flag(source.options, 'upright')
    for file in source.files:
        if not os.path.isdir(file.path) or not isinstance(file.value, Folder):
            raise ValueError(f'{file.path} is not a folder. Name the folder of the masks.')
        stems = _stems(own.images, file.value.path)
        for name in _list_masks(file.value.path):
            path = os.path.join(file.path, name)
            sentences = _read_sentences(path)
            if not sentences:
                own.leave_out('mask without a sentence', name, file.path,
                              f'has no sentence in {posixpath.splitext(name)[0]}.txt, which has one a line')
                continue
            image = _find_image(name, stems, path)
            if image is None:
                own.leave_out('image without a file', name, file.path, f'is of no image in {own.images.folder}')
                continue
            mask = select_object(read_mask_image(path, name), None, mask_values, path, name)
            turn = find_turn(own.images.header(image), *mask.shape, upright=upright, where=path)
            target = own.add_annotation(image, encode_mask(turn.turn_mask(mask)))
            own.add_ref(image, target, sentences, path=file.path, place=name)
    return own.content()


def _list_masks(folder: Path) -> Iterator[str]:
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if name.lower().endswith('.png'):
                yield os.path.relpath(os.path.join(parent, name), folder).replace(os.sep, '/')


def _stems(images: OwnImages, masks: Path) -> Dict[str, List[str]]:
    """Image files by their names without the ending. Masks may lie in a folder below that of the images."""
    stems: Dict[str, List[str]] = {}
    for name in images.names:
        inside = masks.resolve() in Path(images.folder, name).resolve().parents
        if name.lower().endswith(_IMAGES) and not inside:
            stems.setdefault(posixpath.splitext(posixpath.basename(name))[0], []).append(name)
    return stems


def _find_image(name: str, stems: Dict[str, List[str]], path: str) -> Optional[str]:
    folder, base = posixpath.split(name)
    stem = posixpath.splitext(base)[0]
    # A folder of the name of an image has masks of this image alone.
    wanted = {posixpath.basename(folder)} & stems.keys() or {stem, *_beginnings(stem)} & stems.keys()
    found = sorted(image for one in wanted for image in stems[one])
    if len(found) > 1:
        raise ValueError(f'{path} could be a mask of any of {", ".join(found[:5])}. Put the masks of an image into a '
                         f'folder of its name, such as {posixpath.splitext(posixpath.basename(found[0]))[0]}/1.png, or '
                         f'use a CSV file.')
    return found[0] if found else None


def _beginnings(stem: str) -> Set[str]:
    return {stem[:position] for position, letter in enumerate(stem) if letter == '_' and position}


def _read_sentences(mask: str) -> List[str]:
    path = f'{os.path.splitext(mask)[0]}.txt'
    try:
        return split_lines(Path(path).read_text(encoding='utf-8-sig'))
    except FileNotFoundError:
        return []
    except UnicodeDecodeError as error:
        raise ValueError(f'{path} is not text in UTF-8 ({error.reason} at byte {error.start:,}). Save it as UTF-8.'
                         ) from error


MASKS = Form(
    name='masks',
    title='a folder of PNG masks',
    recognise=_recognise,
    read=_read,
    own_masks=True,
    convert_only=True,
    options=('mask_values', 'upright', *SPLIT_OPTIONS))
