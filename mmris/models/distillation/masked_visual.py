"""Language-guided masked visual self-distillation (LMVSD)."""

import torch
from torch import Tensor

from mmris.registry import MODELS
from mmris.structures import EncoderOutput, MainPass

from ..encoders import Encoder
from .correlation_filter import highest
from .masked_distillation import MaskedDistillation


@MODELS.register_module()
class MaskedVisualDistillation(MaskedDistillation):
    """Masks some of the patches that the sentence points to, and predicts the same mask without them.

    CM-MaskSD, eqs. 3 to 5: the T patches that correlate most with the sentence are selected; exactly
    ``round(mask_ratio * T)`` of them, drawn at random, have their content replaced by v' (they keep their position),
    and go through image encoder, neck, decoder and head again, with the unmasked sentence. Patches that lie wholly in
    the letterbox border and the class token are never masked.

    Arguments and errors are those of :class:`MaskedDistillation`.
    """

    @staticmethod
    def mask_token_channels(encoder: Encoder) -> int:
        return encoder.cell_channels

    def replay(self, main: MainPass, encoder: Encoder) -> EncoderOutput:
        # Which patches are masked depends on the sentence, so that from here on each expression has its own image.
        embeddings = main.image_embeddings.select(main.image_index)
        masked = encoder.replace_patches(embeddings, self.draw(main), self.mask_token)
        own_image = torch.arange(len(main.image_index), device=main.image_index.device)
        return encoder.join(encoder.encode_image(masked), main.text_state, own_image)

    def draw(self, main: MainPass) -> Tensor:
        """Draw the patches to mask.

        Returns:
            Tensor: ``(P, h, w)`` bool.
        """
        patches = main.encoded.image.patches.index_select(0, main.encoded.image_index)
        inside = main.image_embeddings.inside.index_select(0, main.image_index)
        selected = self.correlation_filter(main.encoded.text.sentence, patches, inside.flatten(1))
        count = torch.floor(self.mask_ratio * selected.sum(dim=1) + 0.5)
        mask = highest(torch.rand(selected.shape, device=selected.device), count, selected)
        return mask.view_as(inside)
