"""What is asked of a model: an image, or a frame of a video, and sentences about it."""

import logging
from dataclasses import dataclass
from typing import Any, Mapping, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from mmengine.logging import print_log


class VideoFrame(NamedTuple):
    """A frame of a video file.

    Attributes:
        path (str): The file.
        number (int): Which frame, from 0.
    """

    path: str
    number: int


@dataclass(frozen=True)
class ImageRequest:
    """An image, and the sentences to predict for.

    Attributes:
        name (str): What results call the image: its path as it was given, or below the only folder that was given. A
            frame is called ``'clip.mp4#12'``.
        image (Any): What :meth:`~mmris.apis.Predictor.set_image` takes, or a :class:`VideoFrame`.
        sentences (tuple[str]): S sentences, at least one.
        columns (tuple[Mapping[str, Any]]): For each sentence what the file of sentences has in its further columns.
            Empty if the sentences come from no file.
        instance_masks (ndarray, optional): ``(K, H0, W0)``, what a segmenter found, for models that take it.
        video (str, optional): What results call the video that the image is a frame of.
    """

    name: str
    image: Any
    sentences: Tuple[str, ...]
    columns: Tuple[Mapping[str, Any], ...] = ()
    instance_masks: Optional[np.ndarray] = None
    video: Optional[str] = None


class Failure(NamedTuple):
    """An image that could not be read.

    Attributes:
        name (str): What results call the image.
        reason (str): Why, in a sentence.
    """

    name: str
    reason: str


def check_some_read(failures: Sequence[Failure], count: int) -> None:
    """Check that not all images failed.

    Args:
        failures (Sequence[Failure]): Those that failed.
        count (int): How many images there were, these included.

    Raises:
        ValueError: If all failed.
    """
    if failures and len(failures) == count:
        raise ValueError(f'None of {count} images could be read. The first: {failures[0].reason}')


def report_failures(failures: Sequence[Failure], count: int) -> None:
    """Log which images failed.

    Args:
        failures (Sequence[Failure]): Those that failed.
        count (int): How many images there were, these included.

    Raises:
        ValueError: If all failed.
    """
    check_some_read(failures, count)
    if failures:
        names = ', '.join(failure.name for failure in failures)
        print_log(f'{len(failures)} of {count} images could not be read: {names}.', logger='current',
                  level=logging.WARNING)
