"""The stages of encoders that give image and words side by side."""

from typing import Sequence

from mmris.structures import EncoderOutput

from ..layers import check_width


def check_joint_stages(neck: str, encoded: EncoderOutput, in_channels: Sequence[int]) -> None:
    """Check that there are as many stages of image and words as widths, so wide, on one grid.

    Args:
        neck (str): Whose stages they are to be, for the message.
        encoded (EncoderOutput): Of any encoder.
        in_channels (Sequence[int]): What the neck was built for.

    Raises:
        ValueError: If there are more or fewer stages of the image or of the words.
        ValueError: If a stage of either has another width.
        ValueError: If the stages of the image lie on several grids.
    """
    stages, words, number = encoded.image.stages, encoded.text.stages, len(in_channels)
    if not len(stages) == len(words) == number:
        raise ValueError(
            f'{neck} takes {number} stages of the image with the words beside each, but the encoder gave '
            f'{len(stages)} of the image and {len(words)} of the words: set its taps, or take an encoder that joins '
            f'image and words.')
    found = {'the image': [stage.size(1) for stage in stages], 'the words': [stage.size(2) for stage in words]}
    for of, widths in found.items():
        check_width(neck, 'in_channels', tuple(in_channels), of=f'{of} in the encoder\'s stages', found=tuple(widths))
    grids = [tuple(stage.shape[-2:]) for stage in stages]
    if any(grid != grids[0] for grid in grids):
        given = ', '.join(f'{height} x {width}' for height, width in sorted(set(grids)))
        raise ValueError(
            f'{neck} takes stages on one grid, but got {given}: take an encoder whose stages have one size.')
