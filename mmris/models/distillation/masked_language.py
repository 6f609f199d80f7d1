"""Visual-guided masked language self-distillation (VMLSD)."""

from typing import Optional, Sequence

import torch
from torch import Tensor, nn

from mmris.registry import MODELS
from mmris.structures import EncoderOutput, MainPass, word_positions

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

    Args:
        encoder (Encoder): The encoder that will be replayed. Given by the segmentor.
        stages (Sequence[nn.Module]): Neck, decoder, head. Given by the segmentor.
        mask_ratio (float): The paper's alpha. Defaults to 0.1.
        correlation_filter (dict): Defaults to ``CorrelationFilter(top_k=0.5)``.
        loss (dict): Defaults to ``BinaryCrossEntropyLoss(loss_weight=0.1)``, eq. 9's lambda 2.
        share_weights (bool): Defaults to True. See :class:`MaskedDistillation`.
        detach_teacher (bool): Defaults to True. See :class:`MaskedDistillation`.
        update_statistics (bool): Defaults to False. See :class:`MaskedDistillation`.
        init_cfg (dict, optional): MMEngine initialisation. Defaults to None.

    Raises:
        ValueError: If ``mask_ratio`` is not in [0, 1].
    """

    def __init__(self,
                 *,
                 encoder: Encoder,
                 stages: Sequence[nn.Module],
                 mask_ratio: float = 0.1,
                 correlation_filter: dict = dict(type='mmris.CorrelationFilter', top_k=0.5),
                 loss: dict = dict(type='mmris.BinaryCrossEntropyLoss', loss_weight=0.1),
                 share_weights: bool = True,
                 detach_teacher: bool = True,
                 update_statistics: bool = False,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(
            stages=stages,
            channels=encoder.word_channels,
            mask_ratio=mask_ratio,
            correlation_filter=correlation_filter,
            loss=loss,
            share_weights=share_weights,
            detach_teacher=detach_teacher,
            update_statistics=update_statistics,
            init_cfg=init_cfg)

    def replay(self, main: MainPass, encoder: Encoder) -> EncoderOutput:
        masked = encoder.replace_words(main.text_embeddings, self.draw(main), self.mask_token)
        return encoder.join(main.image_state, encoder.encode_text(masked), main.image_index)

    def draw(self, main: MainPass) -> Tensor:
        """Draw the words to mask.

        Returns:
            Tensor: ``(P, L)`` bool.
        """
        image_global = main.encoded.image.image_global.index_select(0, main.encoded.image_index)
        candidates = word_positions(main.encoded.text.token_mask)
        selected = self.correlation_filter(image_global, main.encoded.text.words_joint, candidates)
        return selected & (torch.rand(selected.shape, device=selected.device) < self.mask_ratio)
