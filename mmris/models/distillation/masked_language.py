"""Visual-guided masked language self-distillation (VMLSD)."""

from typing import Dict, Tuple

import torch
from torch import Tensor

from mmris.registry import MODELS
from mmris.structures import EncoderOutput, MainPass, MaskedTokens, word_positions

from ..encoders import Encoder
from .masked_distillation import MaskedDistillation


@MODELS.register_module()
class MaskedLanguageDistillation(MaskedDistillation):
    """Masks some of the words that the image points to, and predicts the same mask without them.

    CM-MaskSD, eqs. 6 to 8: the T words that correlate most with the global image vector are selected; each is
    replaced by w' with probability ``mask_ratio``, which keeps the expected share at any length (sentences are short:
    ``mask_ratio * T`` is mostly below one). The sentence goes through the text encoder again, and with the unmasked
    image through neck, decoder and head. All sentences are replayed, also those with nothing masked. Start token,
    end token and padding are never masked.

    Arguments and errors are those of :class:`MaskedDistillation`.
    """

    @staticmethod
    def mask_token_channels(encoder: Encoder) -> int:
        return encoder.word_channels

    def guide(self, main: MainPass) -> Tuple[Tensor, Tensor, Tensor]:
        """The image, and the words ``(P, L)``."""
        image_global = main.encoded.image.image_global.index_select(0, main.encoded.image_index)
        return image_global, main.encoded.text.words_joint, word_positions(main.encoded.text.token_mask)

    def draw(self, selected: Tensor) -> Tensor:
        """Draw the words to mask: ``(P, L)`` bool."""
        return selected & (torch.rand(selected.shape, device=selected.device) < self.mask_ratio)

    def replay(self, main: MainPass, encoder: Encoder, mask: Tensor) -> EncoderOutput:
        masked = encoder.replace_words(main.text_embeddings, mask, self.mask_token)
        return encoder.join(main.image_state, encoder.encode_text(masked), main.image_index)

    def view_masks(self, main: MainPass, masks: MaskedTokens) -> Dict[str, MaskedTokens]:
        return dict(words=masks)
