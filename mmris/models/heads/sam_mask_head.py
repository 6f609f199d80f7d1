"""SAM's mask decoder: a prompt and the maps of an image become a mask."""

from typing import Optional

import torch
from mmengine.model import BaseModule
from timm.layers import LayerNorm2d
from torch import Tensor, nn

from mmris.registry import MODELS
from mmris.structures import FusedFeatures

from ..layers import GaussianPosition, TwoWayTransformer, check_width


@MODELS.register_module()
class SAMMaskHead(BaseModule):
    """The mask decoder of SAM 1 (Kirillov et al., Segment Anything, ICCV 2023, appendix A), prompted by a sentence.

    Tokens for masks and their quality stand beside the prompt in a two-way transformer with the image. The image is
    upscaled four times, and the dot product of each cell with what an MLP makes of a mask token is the logit.

    As EVF-SAM does, it predicts the first mask, which SAM keeps for prompts that are not ambiguous. The MLPs of the
    other masks and that of the quality are SAM's weights too, but take no part and get no gradient.

    Args:
        channels (int): Width of the prompt and the deepest map, divisible by 8. Default: 256.
        num_layers (int): Layers of the transformer. Default: 2.
        num_heads (int): Its attention heads. Default: 8.
        feedforward_channels (int): Width inside its feedforward. Default: 2048.
        num_masks (int): Mask tokens. Default: 4.
        init_cfg (dict, optional): MMEngine initialisation. Default: None.

    Raises:
        ValueError: If ``channels`` is not divisible by 8, or does not go with ``num_heads``.
        ValueError: If ``num_masks`` or ``num_layers`` is below 1.
    """

    def __init__(self,
                 *,
                 channels: int = 256,
                 num_layers: int = 2,
                 num_heads: int = 8,
                 feedforward_channels: int = 2048,
                 num_masks: int = 4,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg=init_cfg)
        if channels % 8:
            raise ValueError(f'channels of SAMMaskHead must be divisible by 8, but got {channels}.')
        if num_masks < 1:
            raise ValueError(f'num_masks of SAMMaskHead must be at least 1, but got {num_masks}.')
        self.channels = channels
        self.positions = GaussianPosition(channels)
        self.quality_token = nn.Parameter(torch.randn(1, channels))
        self.mask_tokens = nn.Parameter(torch.randn(num_masks, channels))
        self.transformer = TwoWayTransformer(
            channels=channels,
            num_layers=num_layers,
            num_heads=num_heads,
            feedforward_channels=feedforward_channels,
            downsample=2)
        self.upscaling = nn.Sequential(
            nn.ConvTranspose2d(channels, channels // 4, 2, stride=2), LayerNorm2d(channels // 4, eps=1e-6), nn.GELU(),
            nn.ConvTranspose2d(channels // 4, channels // 8, 2, stride=2), nn.GELU())
        self.mask_mlps = nn.ModuleList(_mlp(channels, channels // 8) for _ in range(num_masks))
        self.quality_mlp = _mlp(channels, num_masks)

    def forward(self, fused: FusedFeatures) -> Tensor:
        """Predict.

        Args:
            fused (FusedFeatures): ``sentence (P, channels)``, the prompt, and ``maps`` of B images, the deepest
                ``(B, channels, h, w)``.

        Returns:
            Tensor: ``(P, 1, 4h, 4w)`` logits.

        Raises:
            ValueError: If there are no maps.
            ValueError: If the prompt or the deepest map has another width than ``channels``.
        """
        if fused.maps is None:
            raise ValueError('SAMMaskHead takes a prompt and the maps of an image, but the neck hands on no maps: take '
                             'PromptNeck.')
        deepest = fused.maps.values[-1]
        check_width('SAMMaskHead', 'channels', self.channels, of='the prompt', found=fused.sentence.size(1))
        check_width('SAMMaskHead', 'channels', self.channels, of='the deepest map', found=deepest.size(1))
        height, width = deepest.shape[-2:]
        own = torch.cat((self.quality_token, self.mask_tokens)).expand(len(fused.sentence), -1, -1)
        tokens, cells = self.transformer(
            torch.cat((own, fused.sentence[:, None]), dim=1),
            deepest.flatten(2).transpose(1, 2),
            self.positions(height, width).to(deepest.dtype),
            fused.maps.index)
        upscaled = self.upscaling(cells.transpose(1, 2).unflatten(2, (height, width)))
        # After the token of the quality.
        kernel = self.mask_mlps[0](tokens[:, 1])
        return torch.bmm(kernel[:, None], upscaled.flatten(2)).unflatten(2, upscaled.shape[-2:])


def _mlp(channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(channels, channels), nn.ReLU(), nn.Linear(channels, channels), nn.ReLU(),
        nn.Linear(channels, out_channels))
