"""Language-guided masked visual self-distillation (LMVSD)."""

from typing import Dict, Tuple

import torch
from torch import Tensor

from mmris.registry import MODELS
from mmris.structures import EncoderOutput, MainPass, MaskedTokens, TargetShare

from ..encoders import Encoder
from .correlation_filter import highest
from .masked_distillation import MaskedDistillation
from .target_share import measure_target_share


@MODELS.register_module()
class MaskedVisualDistillation(MaskedDistillation):
    """Masks some of the patches that the sentence points to, and predicts the same mask without them.

    CM-MaskSD, eqs. 3 to 5: the T patches that correlate most with the sentence are selected; exactly
    ``round(mask_ratio * T)`` of them, drawn at random, have their content replaced by v' (they keep their position),
    and go through image encoder, neck, decoder and head again, with the unmasked sentence. Patches that lie wholly in
    the letterbox border and the class token are never masked.

    The method rests on the sentence pointing to the target, so the branch measures whether it does: the share of the
    target's patches among the selected ones, beside the share that a random selection would hold
    (:func:`~mmris.models.distillation.measure_target_share`). Logged as ``target_share_<branch>`` and
    ``chance_<branch>``.

    Arguments and errors are those of :class:`MaskedDistillation`.
    """

    @staticmethod
    def mask_token_channels(encoder: Encoder) -> int:
        return encoder.cell_channels

    def guide(self, main: MainPass) -> Tuple[Tensor, Tensor, Tensor]:
        """The sentence, and the patches ``(P, h, w)``."""
        patches = main.encoded.image.patches.index_select(0, main.encoded.image_index)
        return main.encoded.text.sentence, patches, main.inside

    def draw(self, selected: Tensor) -> Tensor:
        """Draw the patches to mask: ``(P, h, w)`` bool."""
        rows = selected.flatten(1)
        count = torch.floor(self.mask_ratio * rows.sum(dim=1) + 0.5)
        return highest(torch.rand(rows.shape, device=rows.device), count, rows).view_as(selected)

    def replay(self, main: MainPass, encoder: Encoder, mask: Tensor) -> EncoderOutput:
        # Which patches are masked depends on the sentence, so that from here on each expression has its own image.
        embeddings = main.image_embeddings.select(main.image_index)
        masked = encoder.replace_patches(embeddings, mask, self.mask_token)
        own_image = torch.arange(len(main.image_index), device=main.image_index.device)
        return encoder.join(encoder.encode_image(masked), main.text_state, own_image)

    def measure(self, main: MainPass, masks: MaskedTokens, target: Tensor) -> TargetShare:
        """Average the share of the target's patches that is selected, and chance, over the expressions."""
        return measure_target_share(masks.selected, masks.candidates, target, main.encoded.region).mean()

    def view_masks(self, main: MainPass, masks: MaskedTokens) -> Dict[str, MaskedTokens]:
        return dict(patches=masks)
