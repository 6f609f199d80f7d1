"""CLIP's ViT as an image tower."""

from typing import Optional, Sequence, Tuple

import torch
from open_clip.transformer import VisionTransformer
from torch import Tensor

from mmris.structures import ImageEmbeddings, ImageFeatures

from ...layers import resize_positions
from .clip_transformer import CLIPTransformer
from .image_tower import ImageTower, check_taps, default_taps


class CLIPVisionTransformer(CLIPTransformer, ImageTower):
    """CLIP's ViT (Radford et al., ICML 2021) at any size that is a multiple of its patch size.

    Learned positions are resized to the input's grid (bicubic). A stage is the blocks' output at a tap without the
    class token; the last goes through ``ln_post`` and ``proj`` into the joint space, where patches and the class token,
    the whole image, lie.

    Args:
        visual (VisionTransformer): open_clip's tower, plain: with class token and learned positions.
        taps (Sequence[int], optional): Blocks, counted from 1, after which a stage is taken; the last is the last
            block. None for the blocks at a third, two thirds and the end.
        quick_gelu (bool): Whether its blocks use QuickGELU.
        activation_checkpointing (bool): Compute the blocks' activations again in the backward pass.

    Raises:
        ValueError: If ``taps`` are no whole numbers, are not increasing or do not end at the last block.
    """

    def __init__(self, visual: VisionTransformer, *, taps: Optional[Sequence[int]], quick_gelu: bool,
                 activation_checkpointing: bool) -> None:
        super().__init__(visual, quick_gelu=quick_gelu, activation_checkpointing=activation_checkpointing)
        depth = len(self.blocks)
        taps = default_taps(depth) if taps is None else taps
        check_taps(type(self).__name__, taps, depth)
        self.taps = tuple(taps)
        self.stride = visual.patch_size
        self.cell_channels = visual.conv1.out_channels

    def stem(self, pixels: Tensor) -> Tensor:
        return self.clip.conv1(pixels)

    def encode(self, embeddings: ImageEmbeddings) -> ImageFeatures:
        # open_clip takes no empty list: the last block is tapped too, and left out.
        tokens, tapped = self.clip.transformer.forward_intermediates(
            self.add_positions(embeddings), indices=[tap - 1 for tap in self.taps])
        joint = self.project(tokens)
        grid = tuple(embeddings.cells.shape[-2:])
        return ImageFeatures(
            stages=tuple(patches_as_map(stage, grid) for stage in (*tapped[:-1], joint)),
            patches=joint[:, 1:],
            image_global=joint[:, 0])

    def add_positions(self, embeddings: ImageEmbeddings) -> Tensor:
        """Class token and patches at their positions, ``(M, 1 + N, width)``: what the first block takes."""
        rows, _, height, width = embeddings.cells.shape
        class_position, positions = self.clip.positional_embedding.tensor_split((1, ))
        positions = resize_positions(positions, self.clip.grid_size, (height, width))
        class_token = (self.clip.class_embedding + class_position).expand(rows, 1, -1)
        tokens = torch.cat((class_token, embeddings.cells.flatten(2).transpose(1, 2) + positions), dim=1)
        return self.clip.ln_pre(tokens)

    def project(self, tokens: Tensor) -> Tensor:
        """What the last block gives, ``(M, 1 + N, width)``, in the joint space, ``(M, 1 + N, D)``."""
        return self.clip.ln_post(tokens) @ self.clip.proj


def patches_as_map(tokens: Tensor, grid: Tuple[int, int]) -> Tensor:
    """Lay out a class token and patches, ``(M, 1 + h * w, C)``, as a map of the patches, ``(M, C, h, w)``."""
    return tokens[:, 1:].transpose(1, 2).unflatten(2, grid)
