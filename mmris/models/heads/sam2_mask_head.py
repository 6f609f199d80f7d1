"""SAM 2's mask decoder: also finer maps of the image, and a choice among the masks."""

from typing import Optional

import torch
from torch import Tensor, nn

from mmris.registry import MODELS
from mmris.structures import FusedFeatures, SharedRows

from .sam_mask_head import SAMMaskHead, dot_product, mlp

MASKS = ('first', 'best', 'stable')
# A mask is stable if moving the threshold of its logits by this much, up against down, keeps that share of its area.
STABILITY_OFFSET, STABILITY = 0.05, 0.98


@MODELS.register_module()
class SAM2MaskHead(SAMMaskHead):
    """The mask decoder of SAM 2 (Ravi et al., SAM 2: Segment Anything in Images and Videos, 2024), for a sentence.

    It differs from that of SAM 1 in three things. Two finer maps of the image are added while it is upscaled. A token
    asks whether there is any object; its MLP is SAM's weight too, but takes no part. And the mask may be chosen: masks
    after the first are SAM's answers to an ambiguous prompt, each with a predicted quality.

    Args:
        mask (str): Which mask is predicted.

            - ``'first'``: the first one.
            - ``'best'``: of the others the one with the highest predicted quality, in training too (EVF-SAM's
              multitask checkpoint).
            - ``'stable'``: the first one, but in evaluation the best of the others where the first is not stable: where
              fewer than 98% of the cells with a logit above -0.05 have one above 0.05 (EVF-SAM's plain checkpoint).
              Training is where the head is in training mode, or gradients of the prompt are wanted, as of a frozen
              head.
        channels (int): Width of the prompt and the deepest map, divisible by 8. Default: 256.
        num_layers (int): Layers of the transformer. Default: 2.
        num_heads (int): Its attention heads. Default: 8.
        feedforward_channels (int): Width inside its feedforward. Default: 2048.
        num_masks (int): Mask tokens, at least 2 to choose among. Default: 4.
        pretrained (str, optional): Weights of SAM 2, as they are published or converted: a file, an address, or the
            work folder of a training here. The mask decoder is taken. Default: None, from scratch.
        trust_pretrained (bool): Also read a file that holds more than tensors, by running what it says. Default: False.
        init_cfg (dict, optional): MMEngine initialisation. Default: None.

    Raises:
        ValueError: If ``mask`` is unknown, or there are too few masks for it.
        ValueError: If ``channels`` is not divisible by 8, or does not go with ``num_heads``.
        ValueError: If ``num_masks`` or ``num_layers`` is below 1.
    """

    def __init__(self,
                 *,
                 mask: str,
                 channels: int = 256,
                 num_layers: int = 2,
                 num_heads: int = 8,
                 feedforward_channels: int = 2048,
                 num_masks: int = 4,
                 pretrained: Optional[str] = None,
                 trust_pretrained: bool = False,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(
            channels=channels,
            num_layers=num_layers,
            num_heads=num_heads,
            feedforward_channels=feedforward_channels,
            num_masks=num_masks,
            pretrained=pretrained,
            trust_pretrained=trust_pretrained,
            init_cfg=init_cfg)
        if mask not in MASKS:
            raise ValueError(f'mask of SAM2MaskHead must be one of {", ".join(MASKS)}, but got {mask!r}.')
        if mask != 'first' and num_masks < 2:
            raise ValueError(f"mask={mask!r} of SAM2MaskHead chooses among the masks after the first, but num_masks is "
                             f"{num_masks}. Set at least 2, or mask='first'.")
        self.mask = mask
        self.object_token = nn.Parameter(torch.randn(1, channels))
        self.object_mlp = mlp(channels, 1)

    def forward(self, fused: FusedFeatures) -> Tensor:
        """Predict.

        Args:
            fused (FusedFeatures): ``sentence (P, channels)``, the prompt, and ``maps`` of B images:
                ``(B, channels / 8, 4h, 4w)``, ``(B, channels / 4, 2h, 2w)`` and ``(B, channels, h, w)``.

        Returns:
            Tensor: ``(P, 1, 4h, 4w)`` logits.

        Raises:
            ValueError: If there are no maps, or not three of these shapes.
            ValueError: If the prompt or the deepest map has another width than ``channels``.
        """
        quality, masks, cells = self.attend(fused)
        upscaled = self._upscale(cells, fused.maps)
        if self.mask == 'best':
            return dot_product(self._best_kernel(quality, masks), upscaled)
        kernel = self.mask_mlps[0](masks[:, :1])
        if self.mask == 'first' or self.training or fused.sentence.requires_grad:
            return dot_product(kernel, upscaled)
        kernels = torch.cat((kernel, self._best_kernel(quality, masks)), dim=1)
        first, best = dot_product(kernels, upscaled).split(1, dim=1)
        return torch.where(is_stable(first), first, best)

    def own_tokens(self) -> Tensor:
        """Stack the tokens that stand before the prompt: ``(T, channels)``, at last that of the quality and masks'."""
        return torch.cat((self.object_token, super().own_tokens()))

    def _upscale(self, cells: Tensor, maps: SharedRows) -> Tensor:
        """Upscale four times and add the finer maps: ``(P, channels / 8, 4h, 4w)``.

        The finer maps are one row an image until they are added.
        """
        height, width = cells.shape[-2:]
        wanted = [(self.channels // 8, 4 * height, 4 * width), (self.channels // 4, 2 * height, 2 * width)]
        *finer, _ = maps.values
        found = [tuple(one.shape[1:]) for one in finer]
        if found != wanted:
            raise ValueError(f'SAM2MaskHead takes two finer maps beside the deepest (channels, height, width), of '
                             f'{wanted}, but got {found}: take SAM2Tower, with out_channels={self.channels}, as the '
                             f'segmenter of the encoder.')
        first, norm, activation, second, last_activation = self.upscaling
        finest, fine = finer
        cells = activation(norm(first(cells) + fine.index_select(0, maps.index)))
        return last_activation(second(cells) + finest.index_select(0, maps.index))

    def _best_kernel(self, quality: Tensor, masks: Tensor) -> Tensor:
        """Of the masks after the first, the kernel of the one with the highest predicted quality: ``(P, 1, C)``."""
        # The sigmoid keeps the order, but it also rounds: of equal ones the earlier is taken.
        best = self.quality_mlp(quality).sigmoid()[:, 1:].argmax(dim=1)
        kernels = [self.mask_mlps[number](masks[:, number]) for number in range(1, masks.size(1))]
        stacked = torch.stack(kernels, dim=1)
        return stacked.gather(1, best[:, None, None].expand(-1, 1, stacked.size(2)))


def is_stable(logits: Tensor) -> Tensor:
    """Tell whether masks hardly change with the threshold of their logits; a mask without any cell is stable.

    Args:
        logits (Tensor): ``(P, 1, h, w)``.

    Returns:
        Tensor: ``(P, 1, 1, 1)`` bool.
    """
    inner, outer = ((logits > offset).sum(dim=(2, 3), keepdim=True).float()
                    for offset in (STABILITY_OFFSET, -STABILITY_OFFSET))
    return torch.where(outer > 0, inner / outer, 1.0) >= STABILITY
