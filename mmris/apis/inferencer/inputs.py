"""Inputs as people give them (files, folders, globs, arrays, videos, pairs), one image after the other."""

import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np
from PIL import Image

from mmris.prediction.sentences import read_sentences

from .pairs import locate, read_pairs
from .requests import ImageRequest, VideoFrame
from .videos import VIDEO_SUFFIXES, count_frames, is_video

# What is taken of a folder. Files of other endings can be named one by one.
IMAGE_SUFFIXES = ('.avif', '.bmp', '.gif', '.jfif', '.jpe', '.jpeg', '.jpg', '.pgm', '.png', '.ppm', '.tif', '.tiff',
                  '.webp')


class InputOptions(NamedTuple):
    """How inputs are read.

    Attributes:
        recursive (bool): Whether folders are read with the folders in them. Default: False.
        every (int): Of videos, each how many-th frame is taken. Default: 1, all.
        leave_out (Path, optional): A folder in which no input is looked for, such as that of the results.
    """

    recursive: bool = False
    every: int = 1
    leave_out: Optional[Path] = None

    def leaves_out(self, folder: Path) -> bool:
        """Tell whether no input is looked for in a folder."""
        return self.leave_out is not None and folder.resolve().is_relative_to(self.leave_out.resolve())


def read_inputs(inputs: Any, sentences: Optional[Union[str, Sequence[str]]],
                options: InputOptions) -> Iterator[ImageRequest]:
    """Read inputs one after the other.

    Args:
        inputs (Any): A path of an image, of a video or of a folder; a glob pattern; anything else that
            :meth:`~mmris.apis.Predictor.set_image` takes; an :class:`ImageRequest`; or a list or other iterable of
            these. A tuple is a pair ``(input, sentences)``, for inputs with sentences of their own.
        sentences (str or Sequence[str], optional): About each image. None: the inputs come with sentences.
        options (InputOptions): How to read folders and videos.

    Yields:
        ImageRequest: An image and its sentences. Files are not opened yet, but for videos, whose frames are counted. A
        file that is missing or broken is noticed when it is read.

    Raises:
        FileNotFoundError: If a folder holds no image, or a pattern means no file.
        ValueError: If there are no sentences, one is not a string, or ``every`` is below 1.
    """
    if options.every < 1:
        raise ValueError(f'every is a number of frames, 1 or more, but got {options.every}.')
    shared = None if sentences is None else _read_own(sentences)
    alone = isinstance(inputs, (str, os.PathLike))
    counter = iter(range(1, 2**63))
    for one in _spread(inputs):
        given, own = one, shared
        if isinstance(one, ImageRequest):
            yield one
            continue
        if isinstance(one, tuple):
            given, own = _read_pair(one, shared)
        if own is None:
            raise ValueError('There are no sentences: give one list for all images, or pairs of image and sentences.')
        if isinstance(given, (str, os.PathLike)):
            for name, path in _find_files(os.fsdecode(given), options, alone):
                yield from _file_requests(name, path, own, (), options.every)
        else:
            yield ImageRequest(name=f'image-{next(counter)}', image=given, sentences=own)


def read_pair_file(path: Union[str, os.PathLike], folder: Optional[Union[str, os.PathLike]] = None,
                   every: int = 1) -> Iterator[ImageRequest]:
    """Read a file of images and sentences: see :func:`~mmris.apis.inferencer.pairs.read_pairs`.

    Args:
        path (str or PathLike): The file.
        folder (str or PathLike, optional): What relative paths in it are relative to. Default: None, the file's own
            folder.
        every (int): Of videos, each how many-th frame is taken. Default: 1.

    Yields:
        ImageRequest: An image with all of its sentences, in the order in which images first occur.

    Raises:
        FileNotFoundError, ValueError: See :func:`read_pairs`.
    """
    for image, rows in read_pairs(path).items():
        sentences = tuple(read_sentences([row.sentence for row in rows]))
        yield from _file_requests(image, locate(image, path, folder), sentences, tuple(row.columns for row in rows),
                                  every)


def _read_own(sentences: Union[str, Sequence[str]]) -> Tuple[str, ...]:
    own = tuple(read_sentences(sentences))
    if not own:
        raise ValueError('There is no sentence to predict for: give at least one.')
    return own


def _read_pair(pair: tuple, shared: Optional[Tuple[str, ...]]) -> Tuple[Any, Tuple[str, ...]]:
    if shared is not None:
        raise ValueError('Sentences are given for all inputs, but one is a tuple, which is a pair of an input and its '
                         'own sentences: give several inputs as a list.')
    if len(pair) != 2:
        raise ValueError(f'A tuple is a pair (input, sentences), but one has {len(pair)} entries: give several inputs '
                         f'as a list.')
    return pair[0], _read_own(pair[1])


def _spread(inputs: Any) -> Iterator[Any]:
    """Single inputs, and pairs as they are. A tuple is a pair."""
    if isinstance(inputs, tuple) or _is_single(inputs):
        yield inputs
    else:
        for one in inputs:
            yield from _spread(one)


def _is_single(value: Any) -> bool:
    return isinstance(value, (str, bytes, bytearray, memoryview, os.PathLike, np.ndarray, Image.Image, ImageRequest)) \
        or hasattr(value, 'read') or hasattr(value, '__array__') or not isinstance(value, Iterable)


def _find_files(given: str, options: InputOptions, alone: bool) -> Iterator[Tuple[str, str]]:
    """Name and path of each file that a path or a pattern means. In a folder that is given alone, names are those below
    it; else two folders may have files of one name."""
    if os.path.isdir(given):
        names = _list_folder(Path(given), options)
        if not names:
            advice = '' if options.recursive else ' Its folders are read only if you ask for it (recursive).'
            raise FileNotFoundError(f'{given} holds no image or video, which end with '
                                    f'{", ".join((*IMAGE_SUFFIXES, *VIDEO_SUFFIXES))}.{advice}')
        for name in names:
            path = os.path.join(given, name)
            yield name if alone else path, path
    elif glob.has_magic(given) and not os.path.exists(given):
        paths = [
            path for path in sorted(glob.glob(given, recursive=True))
            if os.path.isfile(path) and not options.leaves_out(Path(path).parent)
        ]
        if not paths:
            raise FileNotFoundError(f'No file is meant by the pattern {given}.')
        yield from ((path, path) for path in paths)
    else:
        yield given, given


def _list_folder(folder: Path, options: InputOptions) -> List[str]:
    """Names of images and videos below a folder, sorted."""
    names: List[str] = []
    for where, folders, files in os.walk(folder):
        here = Path(where)
        folders[:] = [one for one in folders if options.recursive and not options.leaves_out(here / one)]
        names += [
            (here / file).relative_to(folder).as_posix() for file in files
            if file.lower().endswith((*IMAGE_SUFFIXES, *VIDEO_SUFFIXES)) and not file.startswith('.')
        ]
    return sorted(names)


def _file_requests(name: str, path: str, sentences: Tuple[str, ...], columns: tuple,
                   every: int) -> Iterator[ImageRequest]:
    if not is_video(path):
        yield ImageRequest(name=name, image=path, sentences=sentences, columns=columns)
        return
    # A video that cannot be read still has a first frame, which then fails.
    for number in range(0, max(1, count_frames(path)), every):
        yield ImageRequest(
            name=f'{name}#{number}',
            image=VideoFrame(path, number),
            sentences=sentences,
            columns=columns,
            video=name)
