"""CLIP's ResNet as an image tower, with the attention pool at every pixel."""

from typing import Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from open_clip.modified_resnet import AttentionPool2d, ModifiedResNet
from torch import Tensor, nn

from mmris.structures import ImageEmbeddings, ImageFeatures

from ...layers import resize_positions
from .image_tower import ImageTower, check_taps, recompute_counted


class CLIPResNet(ImageTower):
    """CLIP's modified ResNet (Radford et al., ICML 2021) with the spatial attention pool of CRIS (CVPR 2022).

    Cells are the output of the stem, at a quarter of the input; stages those of the tapped layers, the last after the
    attention pool: CLIP's own, asked at every pixel instead of the mean alone, plus a shortcut, 1x1 convolution and
    BatchNorm, and a ReLU. Its positions are resized to the input's grid (bicubic). In the joint space lie the pool's
    outputs before the shortcut, and as the whole image what CLIP itself gives: the pool asked at the mean.

    Args:
        visual (ModifiedResNet): open_clip's tower.
        taps (Sequence[int], optional): Layers, 1 to 4, after which a stage is taken; the last is 4. None for 2, 3, 4.
        activation_checkpointing (bool): Compute the blocks' activations again in the backward pass.

    Raises:
        ValueError: If ``taps`` are no whole numbers, are not increasing or do not end at the last layer.
    """

    stride = (32, 32)

    def __init__(self, visual: ModifiedResNet, *, taps: Optional[Sequence[int]],
                 activation_checkpointing: bool) -> None:
        super().__init__()
        self.clip = visual
        taps = (2, 3, 4) if taps is None else taps
        check_taps(type(self).__name__, taps, 4)
        self.taps = tuple(taps)
        self.activation_checkpointing = activation_checkpointing
        self.cell_channels = visual.conv3.out_channels
        projection = visual.attnpool.c_proj
        self.shortcut = nn.Sequential(
            nn.Conv2d(projection.in_features, projection.out_features, 1, bias=False),
            nn.BatchNorm2d(projection.out_features))

    def stem(self, pixels: Tensor) -> Tensor:
        return self.clip.stem(pixels)

    def encode(self, embeddings: ImageEmbeddings) -> ImageFeatures:
        cells, stages = embeddings.cells, []
        for number, layer in enumerate((self.clip.layer1, self.clip.layer2, self.clip.layer3, self.clip.layer4), 1):
            for block in layer:
                cells = recompute_counted(block, block, cells) if self.activation_checkpointing else block(cells)
            if number in self.taps:
                stages.append(cells)
        image_global, patches = attend_everywhere(self.clip.attnpool, cells)
        joint = patches.transpose(1, 2).unflatten(2, cells.shape[-2:])
        return ImageFeatures(
            stages=(*stages[:-1], F.relu(joint + self.shortcut(cells))), patches=patches, image_global=image_global)


def attend_everywhere(pool: AttentionPool2d, cells: Tensor) -> Tuple[Tensor, Tensor]:
    """Ask CLIP's attention pool at the mean, as CLIP does, and at every pixel, as CRIS does.

    The mean's query sees mean and pixels; a pixel's query sees the pixels.

    Args:
        pool (AttentionPool2d): open_clip's module.
        cells (Tensor): ``(M, C, h, w)``.

    Returns:
        tuple[Tensor, Tensor]: ``(M, D)`` at the mean, ``(M, h * w, D)`` at the pixels.
    """
    mean_position, positions = pool.positional_embedding.tensor_split((1, ))
    side = round(positions.size(0)**0.5)
    positions = resize_positions(positions, (side, side), tuple(cells.shape[-2:]))
    pixels = cells.flatten(2).transpose(1, 2)
    tokens = torch.cat((pixels.mean(dim=1, keepdim=True) + mean_position, pixels + positions), dim=1)
    query, key, value = (
        projection(tokens).unflatten(2, (pool.num_heads, -1)).transpose(1, 2)
        for projection in (pool.q_proj, pool.k_proj, pool.v_proj))
    at_mean = F.scaled_dot_product_attention(query[:, :, :1], key, value)
    at_pixels = F.scaled_dot_product_attention(query[:, :, 1:], key[:, :, 1:], value[:, :, 1:])
    pooled = pool.c_proj(torch.cat((at_mean, at_pixels), dim=2).transpose(1, 2).flatten(2))
    return pooled[:, 0], pooled[:, 1:]
