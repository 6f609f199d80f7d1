"""CLIP's image tower: what the encoder and the backbone share."""

from typing import Optional, Sequence, Tuple, Union

import torch
from mmengine.logging import print_log
from open_clip import CustomTextCLIP, get_model_config, list_models
from open_clip.transformer import VisionTransformer
from torch import Tensor, nn

from mmris.checkpoints import load_clip_weights
from mmris.structures import ImageEmbeddings, ImageFeatures, ImageInputs

from ..layers import patches_inside, resize_positions


class CLIPImageHalf:
    """What a module does with CLIP's image tower; to be mixed in.

    Attributes:
        visual (VisionTransformer): The tower.
        taps (tuple[int]): Blocks, counted from 1, after which a stage is taken.
        patch_size (tuple[int]): Height and width of a patch in pixels.
        cell_channels (int): Width of a patch before the first block.
    """

    def take_image_tower(self, visual: VisionTransformer, taps: Optional[Sequence[int]],
                         architecture: Union[str, dict]) -> None:
        """Keep a tower.

        Args:
            visual (VisionTransformer): The tower.
            taps (Sequence[int], optional): Blocks after which a stage is taken; None for the blocks at a third, two
                thirds and the end.
            architecture (str or dict): What the tower was built from, for messages.

        Raises:
            ValueError: If the tower is not a plain ViT with learned positions and class token.
            ValueError: If ``taps`` are not increasing or do not end at the last block.
        """
        plain = (
            isinstance(visual, VisionTransformer) and visual.attn_pool is None and visual.pool_type == 'tok'
            and not visual.final_ln_after_pool and visual.positional_embedding.requires_grad
            and isinstance(visual.patch_dropout, nn.Identity))
        if not plain:
            raise ValueError(
                f'The image tower of {architecture!r} is not a plain ViT with class token and learned positions, '
                f'which is what {type(self).__name__} takes. Use a ViT of OpenAI\'s form, such as ViT-B-16.')
        depth = len(visual.transformer.resblocks)
        self.visual = visual
        self.taps = tuple(taps) if taps is not None else _default_taps(depth)
        _check_taps(self.taps, depth)
        self.patch_size = visual.patch_size
        self.cell_channels = visual.conv1.out_channels

    def embed_image(self, images: ImageInputs) -> ImageEmbeddings:
        """Embed B images: see :class:`Encoder`."""
        height, width = images.pixels.shape[-2:]
        if height % self.patch_size[0] or width % self.patch_size[1]:
            raise ValueError(
                f'The input is {height} x {width} pixels (height x width), but must be a multiple of the patch size '
                f'{self.patch_size[0]} x {self.patch_size[1]}. Change the size of the Letterbox or Resize transform.')
        cells = self.visual.conv1(images.pixels)
        return ImageEmbeddings(cells=cells, inside=patches_inside(images.box, tuple(cells.shape[-2:]), (height, width)))

    def encode_image(self, embeddings: ImageEmbeddings) -> ImageFeatures:
        """Encode images: see :class:`Encoder`."""
        rows, _, height, width = embeddings.cells.shape
        class_position, positions = self.visual.positional_embedding.split(
            (1, self.visual.positional_embedding.size(0) - 1))
        positions = resize_positions(positions, self.visual.grid_size, (height, width))
        class_token = (self.visual.class_embedding + class_position).expand(rows, 1, -1)
        tokens = torch.cat((class_token, embeddings.cells.flatten(2).transpose(1, 2) + positions), dim=1)
        tokens = self.visual.ln_pre(tokens)

        # open_clip takes no empty list: the last block is tapped too, and left out.
        tokens, tapped = self.visual.transformer.forward_intermediates(tokens, indices=[tap - 1 for tap in self.taps])
        joint = self.visual.ln_post(tokens) @ self.visual.proj

        def as_map(sequence: Tensor) -> Tensor:
            return sequence[:, 1:].transpose(1, 2).unflatten(2, (height, width))

        return ImageFeatures(
            stages=(*(as_map(stage) for stage in tapped[:-1]), as_map(joint)),
            patches=joint[:, 1:],
            image_global=joint[:, 0])


def build_towers(architecture: Union[str, dict]) -> CustomTextCLIP:
    """Build both towers of an open_clip model with random weights.

    Raises:
        ValueError: If ``architecture`` is no open_clip model.
    """
    config = get_model_config(architecture) if isinstance(architecture, str) else dict(architecture)
    if config is None:
        names = ', '.join(name for name in list_models() if name.startswith('ViT-'))
        raise ValueError(f'architecture {architecture!r} is no open_clip model. ViTs that open_clip knows: {names}.')
    config.pop('custom_text', None)
    return CustomTextCLIP(**config)


def load_towers(architecture: Union[str, dict], pretrained: str) -> CustomTextCLIP:
    """Build both towers with the weights of an open_clip tag or a file.

    Raises:
        ValueError: If ``pretrained`` is neither a tag of the architecture nor a file.
        RuntimeError: If the file holds another architecture.
    """
    towers = build_towers(architecture)
    load_clip_weights(towers, architecture, pretrained)
    print_log(f'Loaded CLIP weights from {pretrained}.', logger='current')
    return towers


def _default_taps(depth: int) -> Tuple[int, ...]:
    if depth < 3:
        raise ValueError(f'An image tower of {depth} blocks has no default taps, which are three: set taps=({depth},).')
    return depth - 2 * (depth // 3), depth - depth // 3, depth


def _check_taps(taps: Sequence[int], depth: int) -> None:
    if list(taps) != sorted(set(taps)) or not taps or taps[0] < 1 or taps[-1] != depth:
        raise ValueError(
            f'taps must increase, begin at 1 or later, and end at the last of {depth} blocks, but got {tuple(taps)}.')
