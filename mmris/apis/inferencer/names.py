"""Names of the files that are made of many images: one of its own for each image."""

import os
from itertools import chain, count
from pathlib import PurePosixPath
from typing import Dict, List, Sequence, Set

from mmris.apis.outputs import writable_name

from .requests import ImageRequest

# Bytes of a name without its ending and number.
_LONGEST = 180


def name_outputs(requests: Sequence[ImageRequest]) -> List[str]:
    """Name the files of each image, without what they end with.

    They are called as the image, in the folders that the image's name has: ``sub/photo`` for ``sub/photo.jpg``. Of
    absolute paths, the folder that all of them are in is left out. If another image has that name already, it is
    ``sub/photo.jpg``, then ``sub/photo.jpg-2``. Frames lie in a folder of their video: ``clip/000012``.

    Args:
        requests (Sequence[ImageRequest]): All images of a run.

    Returns:
        list[str]: For each a relative path with ``/``, of which no two are equal, also where capitals do not count.
    """
    videos, base = name_videos(requests), _find_base(requests)
    taken = {name.casefold() for name in videos.values()}
    return [
        _choose(_parts(request.name, base), taken) if request.video is None else
        f'{videos[request.video]}/{request.image.number:06d}' for request in requests
    ]


def name_videos(requests: Sequence[ImageRequest]) -> Dict[str, str]:
    """Name the outputs of each video, as :func:`name_outputs` names the folder of its frames.

    Args:
        requests (Sequence[ImageRequest]): All images of a run.

    Returns:
        dict[str, str]: Relative paths without what they end with, by what results call the videos.
    """
    base = _find_base(requests)
    # Frames lie in a folder, which must not be one that images lie in.
    taken = {
        folder.as_posix().casefold()
        for request in requests if request.video is None
        for folder in PurePosixPath(*_parts(request.name, base)).parents
    }
    videos = dict.fromkeys(request.video for request in requests if request.video is not None)
    return {video: _choose(_parts(video, base), taken) for video in videos}


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
