"""Names of the files that are made of many images: one of its own for each image."""

import os
from itertools import chain, count
from pathlib import PurePosixPath
from typing import List, NamedTuple, Sequence, Set

from mmris.prediction.outputs import writable_name

from .requests import ImageRequest

# Bytes of a name without its ending and number.
_LONGEST = 180


class VideoOutput(NamedTuple):
    """A video that is made of frames.

    Attributes:
        name (str): A relative path with ``/``, without what it ends with; also the folder of the frames' files.
        frames (list[int]): Numbers of the requests of its frames.
    """

    name: str
    frames: List[int]


class OutputNames(NamedTuple):
    """Names of all outputs of a run.

    Attributes:
        images (list[str]): For each request a relative path with ``/``, without what it ends with. No two are equal,
            also where capitals do not count.
        videos (list[VideoOutput]): Each video.
    """

    images: List[str]
    videos: List[VideoOutput]


def name_outputs(requests: Sequence[ImageRequest]) -> OutputNames:
    """Name the files of each image and of each video.

    They are called as the image, in the folders that the image's name has: ``sub/photo`` for ``sub/photo.jpg``. Of
    absolute paths, the folder that all of them are in is left out. If another image has that name already, it is
    ``sub/photo.jpg``, then ``sub/photo.jpg-2``. Frames lie in a folder of their video: ``clip/000012``.

    Args:
        requests (Sequence[ImageRequest]): All images of a run.

    Returns:
        OutputNames: The names.
    """
    base = _find_base(requests)
    parts = [_parts(request.video or request.name, base) for request in requests]
    groups = _group_frames(requests)
    # Frames lie in a folder, which must not be one that images lie in.
    taken = {
        folder.as_posix().casefold()
        for own, request in zip(parts, requests) if request.video is None
        for folder in PurePosixPath(*own).parents
    }
    videos = [VideoOutput(_choose(parts[frames[0]], taken), frames) for frames in groups]
    taken = {video.name.casefold() for video in videos}
    folders = {index: video.name for video in videos for index in video.frames}
    images = [
        f'{folders[index]}/{request.image.number:06d}' if index in folders else _choose(parts[index], taken)
        for index, request in enumerate(requests)
    ]
    return OutputNames(images, videos)


def _group_frames(requests: Sequence[ImageRequest]) -> List[List[int]]:
    """Numbers of the requests of each video. A video that is asked about twice is two."""
    groups: List[List[int]] = []
    for index, request in enumerate(requests):
        if request.video is None:
            continue
        last = requests[groups[-1][-1]] if groups else None
        if last is not None and last.video == request.video and last.image.number < request.image.number:
            groups[-1].append(index)
        else:
            groups.append([index])
    return groups


def _find_base(requests: Sequence[ImageRequest]) -> str:
    """The folder that all images with absolute paths are in; '/' if there are none."""
    paths = {os.path.dirname(request.video or request.name) for request in requests}
    return os.path.commonpath([path for path in paths if os.path.isabs(path)] or ['/'])


def _choose(parts: List[str], taken: Set[str]) -> str:
    *folders, last = parts
    for candidate in chain((PurePosixPath(last).stem, last), (f'{last}-{number}' for number in count(2))):
        path = '/'.join((*folders, candidate))
        if path.casefold() not in taken:
            break
    taken.add(path.casefold())
    return path


def _parts(name: str, base: str) -> List[str]:
    """The parts of a relative path that stays below its folder and holds no hidden file."""
    if os.path.isabs(name):
        name = os.path.relpath(name, base)
    parts = [part for part in PurePosixPath(name).parts if part not in ('/', '//', '.', '..')]
    return [f'_{part[1:]}' if part.startswith('.') else part
            for part in (writable_name(part, _LONGEST) for part in parts)] or ['image']
