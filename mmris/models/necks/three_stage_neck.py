"""What the necks have in common that fuse three stages with a sentence."""

from typing import Optional, Sequence

from mmengine.model import BaseModule

from mmris.structures import EncoderOutput

from ..layers import check_width


class ThreeStageNeck(BaseModule):
    """A neck that takes three stages of an image encoder, and the sentence.

    Args:
        in_channels (Sequence[int]): Channels of the three stages, shallow to deep.
        sentence_channels (int): Width of the sentence.
        init_cfg (dict, optional): MMEngine initialisation. Defaults to None.

    Raises:
        ValueError: If there are not three stages.
    """

    def __init__(self, *, in_channels: Sequence[int], sentence_channels: int, init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg=init_cfg)
        if len(in_channels) != 3:
            raise ValueError(
                f'{type(self).__name__} fuses three stages: in_channels needs three numbers, but got '
                f'{tuple(in_channels)}.')
        self.in_channels, self.sentence_channels = tuple(in_channels), sentence_channels

    def check(self, encoded: EncoderOutput) -> None:
        """Check what comes from the encoder.

        Raises:
            ValueError: If the encoder does not give three stages.
            ValueError: If stages or sentence have other widths than ``in_channels`` and ``sentence_channels``.
        """
        owner, stages, sentence = type(self).__name__, encoded.image.stages, encoded.text.sentence
        if len(stages) != 3:
            raise ValueError(f'{owner} takes three stages, but the encoder gave {len(stages)}: set its taps.')
        widths = tuple(stage.size(1) for stage in stages)
        check_width(owner, 'in_channels', self.in_channels, of='the encoder\'s stages', found=widths)
        check_width(
            owner, 'sentence_channels', self.sentence_channels, of='the encoder\'s sentence', found=sentence.size(1))
