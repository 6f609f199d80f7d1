"""The decoder of Shared-RIS: pixels and words refine one another."""

from dataclasses import replace
from typing import Optional

from mmengine.model import BaseModule
from torch import nn

from mmris.registry import MODELS
from mmris.structures import FusedFeatures

from ..layers import FusionLayer, check_width, join_image_tokens, split_image_tokens


@MODELS.register_module()
class SharedMaskDecoder(BaseModule):
    """Pre-norm transformer layers over image and words as one sequence (Shared-RIS, section III-C, eqs. 8 and 9).

    The sequence is the image's class token (of necks that take it along), pixels and words; one MLP serves both
    modalities. No positions are added.

    What the paper compares as cross-attention and bi-directional takes the place of self-attention; see
    :class:`~mmris.models.layers.FusionLayer`. Parameters and multiply-adds of one layer and
    :class:`~mmris.models.heads.SimilarityHead` at 512 channels, 480 x 480 pixels and 20 tokens: self-attention 8.7M
    and 50.0G (the paper's 9M and 50G), cross-attention 8.7M and 48.6G (9M and 48G), bi-directional 13.9M and 51.2G
    (14M and 51G).

    Args:
        channels (int): Width of pixels and class token, divisible by ``num_heads``. Defaults to 512.
        word_channels (int, optional): Width of the words where a neck leaves them at another than the pixels'; a
            linear map then brings them to ``channels``. Defaults to None: they are as wide, and there is no map.
        num_layers (int): Layers, from 0. Defaults to 1.
        num_heads (int): Attention heads. Defaults to 8.
        mlp_ratio (int): Hidden width of the MLP to ``channels``. Defaults to 4.
        fusion (str): ``'self_attention'``, ``'cross_attention'`` or ``'bidirectional'``. Defaults to
            ``'self_attention'``.
        init_cfg (dict, optional): MMEngine initialisation. Defaults to None.

    Raises:
        ValueError: If there are layers and ``fusion`` is unknown.
        ValueError: If there are layers and ``channels`` is not divisible by ``num_heads``.
    """

    def __init__(self,
                 *,
                 channels: int = 512,
                 word_channels: Optional[int] = None,
                 num_layers: int = 1,
                 num_heads: int = 8,
                 mlp_ratio: int = 4,
                 fusion: str = 'self_attention',
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg=init_cfg)
        self.channels = channels
        self.word_channels = channels if word_channels is None else word_channels
        self.word_projection = nn.Identity() if word_channels is None else nn.Linear(word_channels, channels)
        self.layers = nn.ModuleList(
            FusionLayer(channels=channels, num_heads=num_heads, fusion=fusion, mlp_ratio=mlp_ratio)
            for _ in range(num_layers))

    def forward(self, fused: FusedFeatures) -> FusedFeatures:
        """Refine pixels, words and class token.

        Returns:
            FusedFeatures: In the shapes of ``fused``, the words ``(P, L, channels)``. The sentence ``(P, channels)``
            is the words' start token as it now is, whatever it was.

        Raises:
            ValueError: If pixels or words have other widths than ``channels`` and ``word_channels``.
        """
        check_width('SharedMaskDecoder', 'channels', self.channels, of='the pixels', found=fused.pixels.size(1))
        check_width('SharedMaskDecoder', 'word_channels', self.word_channels, of='the words', found=fused.words.size(2))
        image = join_image_tokens(fused.pixels, fused.class_token)
        words = self.word_projection(fused.words)
        for layer in self.layers:
            image, words = layer(image, words, fused.token_mask)
        pixels, class_token = split_image_tokens(image, fused.pixels.shape[-2:])
        return replace(fused, pixels=pixels, words=words, sentence=words[:, 0], class_token=class_token)
