"""A neck that learns nothing: it hands on the joint space of image and text."""

from typing import Optional

from mmengine.model import BaseModule

from mmris.registry import MODELS
from mmris.structures import EncoderOutput, FusedFeatures


@MODELS.register_module()
class JointSpaceNeck(BaseModule):
    """Patches, words and sentence in the joint space, for what compares them; and where wanted the encoder's stages.

    Args:
        with_stages (bool): Whether to hand on the stages, for a decoder of several depths. Defaults to False.
        init_cfg (dict, optional): MMEngine initialisation. Defaults to None.
    """

    def __init__(self, *, with_stages: bool = False, init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg=init_cfg)
        self.with_stages = with_stages

    def forward(self, encoded: EncoderOutput) -> FusedFeatures:
        """Hand on.

        Args:
            encoded (EncoderOutput): Of P expressions on M image rows.

        Returns:
            FusedFeatures: Pixels ``(P, D, h, w)``, words ``(P, L, D)``, sentence ``(P, D)``, and the stages, a row for
            each expression; instances as the encoder gives them.
        """
        image, text, index = encoded.image, encoded.text, encoded.image_index
        pixels = image.patches.transpose(1, 2).unflatten(2, tuple(image.stages[-1].shape[-2:]))
        stages = tuple(stage.index_select(0, index) for stage in image.stages) if self.with_stages else ()
        return FusedFeatures(
            pixels=pixels.index_select(0, index),
            words=text.words_joint,
            sentence=text.sentence,
            token_mask=text.token_mask,
            stages=stages,
            instances=encoded.instances)
