"""One's own image on a command line, and sentences about it: what the tools for it share."""

import argparse
from dataclasses import dataclass
from typing import Type

import numpy as np

from mmris.images import find_image, read_image
from mmris.utils.configs import choose_checkpoint, prediction_settings, read_config
from mmris.utils.terminal import one_line

from .mask_files import GivenMasks, masks_of_image
from .predictor import Predictor


@dataclass(frozen=True)
class OwnImage:
    """An image that a predictor is ready to be asked about.

    Attributes:
        pixels (ndarray): ``(H0, W0, 3)`` uint8 RGB, upright.
        predictor (Predictor): With the image set.
        instances (GivenMasks): The instance masks that the model got with it.
    """

    pixels: np.ndarray
    predictor: Predictor
    instances: GivenMasks


def open_image(arguments: argparse.Namespace, kind: Type[Predictor] = Predictor) -> OwnImage:
    """Read what :func:`mmris.command_line.arguments.add_image_arguments` names, and set the image.

    Prints which instance masks the model got, and which sentences are longer than what it reads.

    Args:
        arguments (Namespace): The command line.
        kind (type): The predictor's class.

    Returns:
        OwnImage: The image, ready to be asked about.

    Raises:
        FileNotFoundError: If a file is missing.
        IsADirectoryError: If the image is a folder.
        ValueError, RuntimeError: If one cannot be read or does not fit (see :class:`Predictor` and
            :func:`masks_of_image`), or there is no checkpoint and the model needs one.
    """
    arguments.checkpoint = choose_checkpoint(arguments)
    find_image(arguments.image)
    config = read_config(arguments)
    pixels = read_image(arguments.image)
    predictor = kind.trained(config, arguments.checkpoint, **prediction_settings(arguments))
    instances = masks_of_image(arguments, predictor, pixels.shape[:2])
    predictor.set_image(arguments.image, instances.masks)
    if instances.note:
        print(one_line(instances.note))
    for asked, read in zip(arguments.sentences, predictor.read_words(arguments.sentences)):
        if not read.whole:
            print(f'only "{one_line(read.words)}" of "{one_line(asked)}" was read ({read.tokens} tokens)')
    return OwnImage(pixels, predictor, instances)
