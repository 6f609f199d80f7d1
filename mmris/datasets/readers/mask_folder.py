"""A folder of masks of one's own: a PNG an object, and beside it a text file with its sentences.

The masks of ``photo.jpg`` are ``photo.png``, ``photo_<anything>.png`` or ``photo/<anything>.png``. The sentences of
``photo_1.png`` are in ``photo_1.txt``, one a line. If several images have the name, the one is meant whose
folder is called like that of the mask.
"""

import os
import posixpath
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Set

from mmris.utils.run_lengths import encode_mask

from .content import Content
from .form import Form
from .mask_files import read_mask_image, select_object
from .opening import Folder
from .options import SPLIT_OPTIONS, read_flag, read_text
from .own_images import OwnImages, common_end, find_turn, list_files
from .own_set import OwnSet, split_lines
from .source import Source

_IMAGES = ('.jpg', '.jpeg', '.png', '.webp', '.bmp', '.tif', '.tiff')


def _recognise(value: Any) -> bool:
    if not isinstance(value, Folder):
        return False
    folders = (value.path / name for name in value.names)
    # Folders of images are in many sets; with a text beside each they are masks.
    return any(name.lower().endswith('.png') for name in value.names) or any(
        _has_masks_with_texts(folder) for folder in folders if folder.is_dir())


def _has_masks_with_texts(folder: Path) -> bool:
    names = set(os.listdir(folder))
    return any(name.lower().endswith('.png') and f'{posixpath.splitext(name)[0]}.txt' in names for name in names)


def _read(source: Source) -> Content:
    own = OwnSet(source)
    mask_values = read_text(source.options, 'mask_values', choices=('binary', ))
    upright = read_flag(source.options, 'upright')
    for file in source.files:
        if not os.path.isdir(file.path) or not isinstance(file.value, Folder):
            raise ValueError(f'{file.path} is not a folder. Name the folder of the masks.')
        masks = _list_masks(file.value.path, own.images)
        _leave_out_others(own, masks, file.path)
        stems, folders = _stems(masks.images), {posixpath.dirname(image) for image in masks.images} - {''}
        for name in masks.masks:
            path = os.path.join(file.path, name)
            sentences = _read_sentences(path)
            if not sentences:
                own.leave_out('mask without a sentence', name, file.path,
                              f'has no sentence in {posixpath.splitext(name)[0]}.txt, which has one a line')
                continue
            image = _find_image(name, stems, folders, path)
            if image is None:
                own.leave_out('image without a file', name, file.path, f'is of no image in {own.images.folder}')
                continue
            mask = select_object(read_mask_image(path, name), None, mask_values, name)
            turn = find_turn(own.images.header(image), *mask.shape, upright=upright, where=path)
            target = own.add_annotation(image, encode_mask(turn.turn_mask(mask)))
            own.add_ref(image, target, sentences, path=file.path, place=name)
    return own.content()


class _Files(NamedTuple):
    """What is in the folder of the masks, and in that of the images.

    Attributes:
        masks (list[str]): PNG masks, by their names below the folder of the masks.
        lossy (list[str]): Images of other formats where masks are expected.
        texts (list[str]): Text files.
        images (list[str]): The images, by their names below the folder of the images.
    """

    masks: List[str]
    lossy: List[str]
    texts: List[str]
    images: List[str]


def _list_masks(folder: Path, images: OwnImages) -> _Files:
    masks, beside = folder.resolve(), Path(images.folder).resolve()
    pictures = [name for name in images.names if name.lower().endswith(_IMAGES)]
    names = list_files(str(folder))
    if masks == beside:
        of_masks = _masks_among(pictures, set(names))
        pictures = [name for name in pictures if name not in of_masks]
        no_masks = set(pictures)
        names = [name for name in names if name not in no_masks]
    elif beside in masks.parents:
        below = f'{masks.relative_to(beside).as_posix()}/'
        pictures = [name for name in pictures if not name.startswith(below)]
    elif masks in beside.parents:
        below = f'{beside.relative_to(masks).as_posix()}/'
        names = [name for name in names if not name.startswith(below)]
    return _Files(
        masks=[name for name in names if name.lower().endswith('.png')],
        lossy=[name for name in names if name.lower().endswith(_IMAGES) and not name.lower().endswith('.png')],
        texts=[name for name in names if name.lower().endswith('.txt')],
        images=pictures)


def _masks_among(pictures: List[str], names: Set[str]) -> Set[str]:
    """Which pictures of one folder are masks: PNG files with a text, and those that are named as masks of another."""
    stems = {name: posixpath.splitext(name)[0] for name in pictures}
    png = {name for name in pictures if name.lower().endswith('.png')}
    described = {name for name in png if f'{stems[name]}.txt' in names}
    of_described = {one for name in described for one in _images_meant(stems[name])}
    others = {stem for name, stem in stems.items() if name not in described}
    not_png = {stem for name, stem in stems.items() if name not in png}
    found = set(described)
    for name in png - described:
        stem = stems[name]
        # street_2.png may be a photograph beside street.png: it is one if there is a mask such as street_2/1.png.
        if stem in not_png or (stem not in of_described and others & _images_meant(stem)):
            found.add(name)
    return found


def _images_meant(stem: str) -> Set[str]:
    """Names without ending of the images, in a mask's folder or around it, that a mask may be of by its name."""
    folder, base = posixpath.split(stem)
    return {posixpath.join(folder, one) for one in _beginnings(base)} | ({folder} if folder else set())


def _leave_out_others(own: OwnSet, files: _Files, path: str) -> None:
    for name in files.lossy:
        own.leave_out('mask that is not PNG', name, path,
                      'is not a PNG file. Formats such as JPEG change the values of masks: save it as PNG')
    stems = {posixpath.splitext(name)[0] for name in (*files.masks, *files.lossy)}
    for name in files.texts:
        stem = posixpath.splitext(name)[0]
        if stem not in stems:
            own.leave_out('text without a mask', name, path, f'has no mask {stem}.png beside it')


def _stems(images: List[str]) -> Dict[str, List[str]]:
    """Image files by their names without folder and ending."""
    stems: Dict[str, List[str]] = {}
    for name in images:
        stems.setdefault(posixpath.splitext(posixpath.basename(name))[0], []).append(name)
    return stems


def _find_image(name: str, stems: Dict[str, List[str]], folders: Set[str], path: str) -> Optional[str]:
    folder, base = posixpath.split(name)
    stem = posixpath.splitext(base)[0]
    named = sorted(image for one in {stem, *_beginnings(stem)} & stems.keys() for image in stems[one])
    parent, photo = posixpath.split(folder)
    mirrored = [image for image in named if folder and posixpath.dirname(image) == folder]
    if mirrored:
        # The folder may also be that of the masks of one image, which lies beside it: then both could be meant.
        found = mirrored + [image for image in stems.get(photo, []) if posixpath.dirname(image) == parent]
    elif photo in stems:
        found = _nearest(stems[photo], parent)
    else:
        found = [] if folder in folders else _nearest(named, folder)
    if len(found) > 1:
        raise ValueError(f'{path} could be a mask of any of {", ".join(found[:5])}. Put the masks of an image into a '
                         f'folder of its name, such as {posixpath.splitext(posixpath.basename(found[0]))[0]}/1.png, or '
                         f'use a CSV file.')
    return found[0] if found else None


def _nearest(images: List[str], folder: str) -> List[str]:
    """The images whose folders have most in common with this one."""
    lengths = [common_end(folder, posixpath.dirname(image)) for image in images]
    return [image for image, length in zip(images, lengths) if length == max(lengths)]


def _beginnings(stem: str) -> Set[str]:
    """What may be the name of the image in that of a mask: ``{'a', 'a_1'}`` of ``'a_1_2'``."""
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
