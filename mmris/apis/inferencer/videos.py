"""Frames of video files, by OpenCV."""

import logging
import os
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Iterator, Optional, Tuple, Union

import cv2
import numpy as np
from mmengine.logging import print_log

from mmris.utils import write_atomically

from .requests import VideoFrame

VIDEO_SUFFIXES = ('.avi', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg', '.ogv', '.webm', '.wmv')
# Where a file says nothing of its speed.
_FRAMES_A_SECOND = 25.0


def is_video(path: Union[str, os.PathLike]) -> bool:
    """Tell by its ending whether a path is that of a video file."""
    return Path(os.fsdecode(path)).suffix.lower() in VIDEO_SUFFIXES


def count_frames(path: str) -> int:
    """Count the frames of a video by going through it: what its header says is often wrong.

    A video that ends long before its header says, as a truncated download does, is taken as far as it goes, with a
    warning in the log.

    Args:
        path (str): The file.

    Returns:
        int: The number; 0 if there is no such file, or OpenCV cannot read it.
    """
    capture = cv2.VideoCapture(path)
    try:
        announced, count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), 0
        while capture.grab():
            count += 1
    finally:
        capture.release()
    if 0 < count < 0.98 * announced:
        print_log(f'{path} ends after {count} of the {announced} frames that its header says: it may be truncated.',
                  logger='current', level=logging.WARNING)
    return count


def frame_rate(path: str) -> float:
    """The speed of a video in frames a second."""
    capture = cv2.VideoCapture(path)
    try:
        rate = capture.get(cv2.CAP_PROP_FPS)
    finally:
        capture.release()
    return rate if 0 < rate < 1000 else _FRAMES_A_SECOND


class VideoReader:
    """Reads frames of videos. Frames that are asked for in their order are decoded once.

    One file is open at a time.
    """

    def __init__(self) -> None:
        self._path: Optional[str] = None
        self._capture: Optional[cv2.VideoCapture] = None
        self._next = 0

    def read(self, frame: VideoFrame) -> np.ndarray:
        """Read a frame.

        Args:
            frame (VideoFrame): Which one.

        Returns:
            ndarray: ``(H0, W0, 3)`` uint8 RGB.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If OpenCV cannot read the video, or it ends before the frame.
        """
        if frame.path != self._path or frame.number < self._next:
            self._open(frame.path)
        while self._next < frame.number and self._capture.grab():
            self._next += 1
        there, pixels = self._capture.read() if self._next == frame.number else (False, None)
        if not there:
            number = self._next
            self.close()
            raise ValueError(f'{frame.path} ends before frame {frame.number} (it has {number}).')
        self._next += 1
        return np.ascontiguousarray(pixels[..., ::-1])

    def close(self) -> None:
        """Close the file that is open, if any."""
        if self._capture is not None:
            self._capture.release()
        self._path = self._capture = None

    def _open(self, path: str) -> None:
        self.close()
        if not Path(path).is_file():
            raise FileNotFoundError(f'There is no video {path}.')
        capture = cv2.VideoCapture(path)
        if not capture.isOpened() or not capture.get(cv2.CAP_PROP_FRAME_WIDTH):
            capture.release()
            raise ValueError(f'{path} is no video that OpenCV reads: convert it to MP4 (H.264), or fetch it again.')
        self._path, self._capture, self._next = path, capture, 0


@contextmanager
def write_video(path: Path, rate: float) -> Iterator[Callable[[np.ndarray], None]]:
    """Write an MP4 file, which is there when the block ends without an error, and else is not.

    Args:
        path (Path): The file, which ends with ``.mp4``.
        rate (float): Frames a second.

    Yields:
        Callable: Writes a frame, ``(H, W, 3)`` uint8 RGB; all must have the size of the first.
    """
    writer: Optional[Tuple[cv2.VideoWriter, Tuple[int, int]]] = None
    with write_atomically(path) as temporary:

        def write(pixels: np.ndarray) -> None:
            nonlocal writer
            size = pixels.shape[1], pixels.shape[0]
            if writer is None:
                writer = cv2.VideoWriter(str(temporary), cv2.VideoWriter_fourcc(*'mp4v'), rate, size), size
                if not writer[0].isOpened():
                    raise RuntimeError(f'{path} cannot be written: this OpenCV writes no MPEG-4 video of {size[0]} x '
                                       f'{size[1]} pixels (width x height). Leave videos out of the outputs.')
            if size != writer[1]:
                pixels = cv2.resize(pixels, writer[1])
            writer[0].write(pixels[..., ::-1])

        try:
            yield write
        finally:
            if writer is not None:
                writer[0].release()
