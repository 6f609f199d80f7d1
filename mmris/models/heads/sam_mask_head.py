"""SAM's mask decoder: a prompt and the maps of an image become a mask."""

from typing import Optional, Tuple

import torch
from timm.layers import LayerNorm2d
from torch import Tensor, nn

from mmris.registry import MODELS
from mmris.structures import FusedFeatures

from ..layers import GaussianPosition, TwoWayTransformer, check_width
from ..published_part import PublishedPart


@MODELS.register_module()
class SAMMaskHead(PublishedPart):
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
        pretrained (str, optional): Weights of SAM, as they are published or converted: a file, an address, or the
            work folder of a training here. The mask decoder is taken. Default: None, from scratch.
        trust_pretrained (bool): Also read a file that holds more than tensors, by running what it says. Default: False.
        init_cfg (dict, optional): MMEngine initialisation. Default: None.

    Raises:
        ValueError: If ``channels`` is not divisible by 8, or does not go with ``num_heads``.
        ValueError: If ``num_masks`` or ``num_layers`` is below 1.
    """

    published_as = 'head.'

    def __init__(self,
                 *,
                 channels: int = 256,
                 num_layers: int = 2,
                 num_heads: int = 8,
                 feedforward_channels: int = 2048,
                 num_masks: int = 4,
                 pretrained: Optional[str] = None,
                 trust_pretrained: bool = False,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(pretrained=pretrained, trust_pretrained=trust_pretrained, init_cfg=init_cfg)
        if channels % 8:
            raise ValueError(f'channels of {type(self).__name__} must be divisible by 8, but got {channels}.')
        if num_masks < 1:
            raise ValueError(f'num_masks of {type(self).__name__} must be at least 1, but got {num_masks}.')
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
        self.mask_mlps = nn.ModuleList(mlp(channels, channels // 8) for _ in range(num_masks))
        self.quality_mlp = mlp(channels, num_masks)

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
        _, masks, cells = self.attend(fused)
        return dot_product(self.mask_mlps[0](masks[:, :1]), self.upscaling(cells))

    def own_tokens(self) -> Tensor:
        """Stack the tokens that stand before the prompt: ``(T, channels)``, at last that of the quality and masks'."""
        return torch.cat((self.quality_token, self.mask_tokens))

    def attend(self, fused: FusedFeatures) -> Tuple[Tensor, Tensor, Tensor]:
        """Run the transformer between the head's own tokens, the prompt and the image.

        Args:
            fused (FusedFeatures): As :meth:`forward` takes it.

        Returns:
            tuple[Tensor, Tensor, Tensor]: The token of the quality ``(P, channels)``, those of the masks
            ``(P, num_masks, channels)``, and the image ``(P, channels, h, w)``.

        Raises:
            ValueError: If there are no maps.
            ValueError: If the prompt or the deepest map has another width than ``channels``.
        """
        owner = type(self).__name__
        if fused.maps is None:
            raise ValueError(f'{owner} takes a prompt and the maps of an image, but the neck hands on no maps: take '
                             f'PromptNeck.')
        deepest = fused.maps.values[-1]
        check_width(owner, 'channels', self.channels, of='the prompt', found=fused.sentence.size(1))
        check_width(owner, 'channels', self.channels, of='the deepest map', found=deepest.size(1))
        height, width = deepest.shape[-2:]
        own = self.own_tokens()
        tokens, cells = self.transformer(
            torch.cat((own.expand(fused.sentence.size(0), -1, -1), fused.sentence[:, None]), dim=1),
            deepest.flatten(2).transpose(1, 2),
            self.positions(height, width).to(deepest.dtype),
            fused.maps.index)
        first = len(own) - len(self.mask_tokens)
        return tokens[:, first - 1], tokens[:, first:len(own)], cells.transpose(1, 2).unflatten(2, (height, width))


def dot_product(kernels: Tensor, image: Tensor) -> Tensor:
    """Draw masks: the dot product of each kernel with each cell of an image.

    Args:
        kernels (Tensor): ``(P, K, C)``.
        image (Tensor): ``(P, C, h, w)``.

    Returns:
        Tensor: ``(P, K, h, w)``.
    """
    return torch.bmm(kernels, image.flatten(2)).unflatten(2, image.shape[-2:])


def mlp(channels: int, out_channels: int) -> nn.Sequential:
    """Build what SAM reads a token by: three linear maps with ReLUs between them."""
    return nn.Sequential(
        nn.Linear(channels, channels), nn.ReLU(), nn.Linear(channels, channels), nn.ReLU(),
        nn.Linear(channels, out_channels))
