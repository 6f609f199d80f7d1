"""LAVT's pixel-word attention on several stages of a joint encoder."""

from typing import Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmris.registry import MODELS
from mmris.structures import EncoderOutput, FusedFeatures

from ..layers import attention_matrix
from .joint_stages import check_joint_stages


class PixelWordAttention(nn.Module):
    """Pixels gather words, which then weigh the pixels (Yang et al., LAVT, CVPR 2022, section 3.2).

    With V a stage of the image, L the words, C their width, and every w a 1x1 convolution::

        G = w_w(softmax(w_q(V)^T w_k(L) / sqrt(C)) w_v(L)^T)     w_q and w_w with an InstanceNorm
        F = w_o(w_m(V) * G)                                      w_m and w_o with a ReLU

    Args:
        in_channels (int): Width of pixels and words.
        out_channels (int): Width of the output.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        # An InstanceNorm takes away what a bias adds.
        self.query = nn.Sequential(nn.Conv2d(in_channels, in_channels, 1, bias=False), nn.InstanceNorm2d(in_channels))
        self.key_value = nn.Linear(in_channels, 2 * in_channels)
        self.gathered = nn.Sequential(
            nn.Conv2d(in_channels, in_channels, 1, bias=False), nn.InstanceNorm2d(in_channels))
        self.pixels = nn.Sequential(nn.Conv2d(in_channels, in_channels, 1), nn.ReLU(inplace=True))
        self.out = nn.Sequential(nn.Conv2d(in_channels, out_channels, 1), nn.ReLU(inplace=True))

    def forward(self, stage: Tensor, words: Tensor, token_mask: Tensor, image_index: Tensor) -> Tensor:
        """Fuse.

        Args:
            stage (Tensor): ``(M, in_channels, h, w)``, of more than one cell.
            words (Tensor): ``(P, L, in_channels)``.
            token_mask (Tensor): ``(P, L)`` bool, true on real tokens.
            image_index (Tensor): ``(P,)`` int64, the row of ``stage`` that belongs to each sentence.

        Returns:
            Tensor: ``(P, out_channels, h, w)``.
        """
        query, key, value = self._project(stage, words, image_index)
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=token_mask[:, None, None])
        gathered = self.gathered(attended[:, 0].transpose(1, 2).unflatten(2, stage.shape[-2:]))
        return self.out(self.pixels(stage).index_select(0, image_index) * gathered)

    def attention_weights(self, stage: Tensor, words: Tensor, token_mask: Tensor, image_index: Tensor) -> Tensor:
        """How much each pixel takes from which word, for the same inputs as ``forward``.

        Returns:
            Tensor: ``(P, 1, h * w, L)``, each row of which sums to 1, with zeros on padding.
        """
        query, key, _ = self._project(stage, words, image_index)
        return attention_matrix(query, key, token_mask[:, None, None])

    def _project(self, stage: Tensor, words: Tensor, image_index: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
        """The one head's query ``(P, 1, h * w, in_channels)``, key and value ``(P, 1, L, in_channels)``."""
        query = self.query(stage).flatten(2).transpose(1, 2).index_select(0, image_index)
        key, value = self.key_value(words).chunk(2, dim=-1)
        return query[:, None], key[:, None], value[:, None]


@MODELS.register_module()
class PWAMNeck(BaseModule):
    """LAVT's pixel-word attention in the place of Shared-RIS's FPN (its Table IV).

    The paper does not say how it was put there. What is ours: each stage's pixels ask the words of the same stage at
    the encoder's width; the attention's last convolution leads to ``channels``; the stages are joined in channels and
    aggregated by a linear map, as eq. 7 does; neither the rest of LAVT (its gate) nor the image's class token takes
    part. As LAVT does, and CRIS's neck, this leaves the words to the encoder: the decoder gets those of its last
    stage, in the encoder's width.

    At d = 768, 512 channels, 480 x 480 pixels, 20 tokens and four stages it has 14.0M parameters (the paper's 14M)
    and 8.6G multiply-adds (13G), both minus those of the linear map that a model without FPN needs (0.39M and 0.36G).
    What the paper counted is not known: each of 14M weights applied to all 921 tokens would be 13G.

    Args:
        in_channels (Sequence[int]): Width of image and words in each of the K stages, shallow to deep.
        channels (int): Width of the pixels in the output. Defaults to 512.
        init_cfg (dict, optional): MMEngine initialisation. Defaults to None.

    Raises:
        ValueError: If there is no stage.
    """

    def __init__(self, *, in_channels: Sequence[int], channels: int = 512, init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg=init_cfg)
        if not in_channels:
            raise ValueError('PWAMNeck fuses one stage or more: in_channels needs a number for each, but is empty.')
        self.in_channels = tuple(in_channels)
        self.attentions = nn.ModuleList(PixelWordAttention(width, channels) for width in in_channels)
        self.aggregate = nn.Conv2d(len(in_channels) * channels, channels, 1)

    def forward(self, encoded: EncoderOutput) -> FusedFeatures:
        """Fuse.

        Args:
            encoded (EncoderOutput): Of P expressions on M image rows, with K stages of image and words.

        Returns:
            FusedFeatures: Pixels ``(P, channels, h, w)`` on the stages' grid. Words are those of the last stage, and
            the sentence is their start token.

        Raises:
            ValueError: If the encoder does not give K stages of image and words, as wide as ``in_channels``, on one
                grid.
        """
        check_joint_stages('PWAMNeck', encoded, self.in_channels)
        text = encoded.text
        fused = [
            attention(stage, words, text.token_mask, encoded.image_index)
            for attention, stage, words in zip(self.attentions, encoded.image.stages, text.stages)
        ]
        words = text.stages[-1]
        pixels = self.aggregate(torch.cat(fused, dim=1))
        return FusedFeatures(pixels=pixels, words=words, sentence=words[:, 0], token_mask=text.token_mask)
