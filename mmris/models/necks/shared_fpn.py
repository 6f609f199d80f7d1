"""The neck of Shared-RIS: several layers of a joint encoder become one."""

from typing import List, Optional, Sequence, Tuple

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmris.registry import MODELS
from mmris.structures import EncoderOutput, FusedFeatures

from ..layers import FusionLayer, join_image_tokens, split_image_tokens
from .joint_stages import check_joint_stages


@MODELS.register_module()
class SharedFPN(BaseModule):
    """Fuses image and words in each of K stages, and brings the stages together (Shared-RIS, section III-B).

    With ``h_j`` the image's class token (of encoders that give one), patches and words of stage j as one sequence::

        y_j = h_j W_j
        z_j = MSA(LN(y_j)) + y_j           (eq. 6)
        z = [z_1, ..., z_K] W_f            (eq. 7), joined in channels

    The equation prints one W_j. By default each modality has its own: at the paper's size (d = 768, 512 channels) the
    whole model then has 238.1M parameters (the paper's 239M), and 236.5M otherwise.

    What the paper compares as cross-attention and bi-directional takes the place of MSA; see
    :class:`~mmris.models.layers.FusionLayer`. The bi-directional form has an MLP besides, of ratio 4, with which its
    cost is near the paper's. Parameters and multiply-adds at 480 x 480 pixels and 20 tokens with four stages, both
    minus those of the linear map that a model without FPN needs (0.39M and 0.36G): self-attention 8.0M and 9.4G (the
    paper's 8M and 9G), cross-attention 8.0M and 4.1G (8M and 6G), bi-directional 37.4M and 22.0G (37M and 22G).

    Args:
        in_channels (Sequence[int]): Width of image and words in each of the K stages, shallow to deep.
        channels (int): Width of the output, divisible by ``num_heads``. Defaults to 512.
        num_heads (int): Attention heads. Defaults to 8.
        fusion (str): ``'self_attention'``, ``'cross_attention'`` or ``'bidirectional'``. Defaults to
            ``'self_attention'``.
        shared_projections (bool): One W_j for both modalities. Defaults to False.
        init_cfg (dict, optional): MMEngine initialisation. Defaults to None.

    Raises:
        ValueError: If there is no stage.
        ValueError: If ``fusion`` is unknown.
        ValueError: If ``channels`` is not divisible by ``num_heads``.
    """

    def __init__(self,
                 *,
                 in_channels: Sequence[int],
                 channels: int = 512,
                 num_heads: int = 8,
                 fusion: str = 'self_attention',
                 shared_projections: bool = False,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg=init_cfg)
        if not in_channels:
            raise ValueError('SharedFPN fuses one stage or more: in_channels needs a number for each, but is empty.')
        self.in_channels = tuple(in_channels)
        self.image_projections = nn.ModuleList(nn.Linear(width, channels) for width in in_channels)
        if shared_projections:
            self.word_projections = self.image_projections
        else:
            self.word_projections = nn.ModuleList(nn.Linear(width, channels) for width in in_channels)
        mlp_ratio = 4 if fusion == 'bidirectional' else None
        self.fusions = nn.ModuleList(
            FusionLayer(channels=channels, num_heads=num_heads, fusion=fusion, mlp_ratio=mlp_ratio)
            for _ in in_channels)
        self.aggregate = nn.Linear(len(in_channels) * channels, channels)

    def forward(self, encoded: EncoderOutput) -> FusedFeatures:
        """Fuse.

        Args:
            encoded (EncoderOutput): Of P expressions on M image rows, with K stages of image and words.

        Returns:
            FusedFeatures: Pixels ``(P, channels, h, w)`` on the stages' grid, words and class token as wide; the
            sentence is the words' start token.

        Raises:
            ValueError: If the encoder does not give K stages of image and words, as wide as ``in_channels``, on one
                grid.
        """
        check_joint_stages('SharedFPN', encoded, self.in_channels)
        text, fused = encoded.text, []
        for index, fusion in enumerate(self.fusions):
            image = self._project_image(encoded, index)
            fused.append(fusion(image, self.word_projections[index](text.stages[index]), text.token_mask))
        image, words = self._aggregate(fused)
        pixels, class_token = split_image_tokens(image, encoded.image.stages[0].shape[-2:])
        return FusedFeatures(
            pixels=pixels, words=words, sentence=words[:, 0], token_mask=text.token_mask, class_token=class_token)

    def _project_image(self, encoded: EncoderOutput, index: int) -> Tensor:
        """Class token and patches of a stage, ``(P, 1 + h * w, channels)``."""
        image = encoded.image
        tokens = join_image_tokens(image.stages[index], image.class_stages[index] if image.class_stages else None)
        return self.image_projections[index](tokens).index_select(0, encoded.image_index)

    def _aggregate(self, fused: List[Tuple[Tensor, Tensor]]) -> Tuple[Tensor, Tensor]:
        images, words = zip(*fused)
        return self.aggregate(torch.cat(images, dim=-1)), self.aggregate(torch.cat(words, dim=-1))
