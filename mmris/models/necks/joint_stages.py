"""The stages of encoders that give image and words side by side."""

from mmris.structures import EncoderOutput


def check_joint_stages(neck: str, encoded: EncoderOutput, number: int) -> None:
    """Check that there are so many stages of image and words, on one grid.

    Args:
        neck (str): Whose stages they are to be, for the message.
        encoded (EncoderOutput): Of any encoder.
        number (int): Wanted number of stages.

    Raises:
        ValueError: If there are more or fewer stages of the image or of the words.
        ValueError: If the stages of the image lie on several grids.
    """
    stages, words = encoded.image.stages, encoded.text.stages
    if not len(stages) == len(words) == number:
        raise ValueError(
            f'{neck} takes {number} stages of the image with the words beside each, but the encoder gave '
            f'{len(stages)} of the image and {len(words)} of the words: set its taps, or take an encoder that joins '
            f'image and words.')
    grids = sorted({tuple(stage.shape[-2:]) for stage in stages})
    if len(grids) > 1:
        given = ', '.join(f'{height} x {width}' for height, width in grids)
        raise ValueError(
            f'{neck} takes stages on one grid, but got {given}: take an encoder whose stages have one size.')
