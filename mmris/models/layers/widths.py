"""Widths that a module was built for, and those that come."""

from typing import Tuple, Union

Width = Union[int, Tuple[int, ...]]


def check_width(owner: str, option: str, expected: Width, *, of: str, found: Width) -> None:
    """Check that what comes to a module is as wide as the module was built for.

    Args:
        owner (str): The module, for the message.
        option (str): The argument of it that tells the width.
        expected (int or tuple[int]): What it was set to.
        of (str): What comes, for the message.
        found (int or tuple[int]): How wide that is.

    Raises:
        ValueError: If the two differ.
    """
    if found != expected:
        raise ValueError(
            f'{option} of {owner} is {expected}, but the width of {of} is {found}: set {option}={found}.')


def check_joint_space(owner: str, image: int, sentence: int) -> None:
    """Check that image and sentence can be compared.

    Args:
        owner (str): What compares them, for the message.
        image (int): Width of an encoder's patches, or of its vector of the whole image.
        sentence (int): Width of its sentence or words.

    Raises:
        ValueError: If the two differ, so that there is no joint space.
    """
    if image != sentence:
        raise ValueError(
            f'{owner} compares image and sentence in a joint space, but the encoder has none: its patches are {image} '
            f'wide, its sentence {sentence}. Set joint_map=True of DETRISEncoder or LAVTEncoder, or joint_channels of '
            f'an encoder or image tower that has such an argument.')
