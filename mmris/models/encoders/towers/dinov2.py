"""DINOv2's ViT with registers as an image tower."""

from functools import partial
from typing import Any, Dict, Optional, Sequence, Tuple, Union

import torch
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from mmris.checkpoints.published import DINOV2
from mmris.registry import MODELS
from mmris.structures import ImageEmbeddings, ImageFeatures

from ...layers import resize_positions, split_image_tokens
from .image_tower import ImageTower, check_tap_numbers, check_taps, default_taps, recompute
from .measures import complete_measures
from .published_tower import load_tower

_PUBLISHED = dict(patch_size=14, image_size=518, registers=4)
# DINOv2's sizes as they were published.
DINOV2_ARCHITECTURES: Dict[str, Dict[str, Any]] = dict(
    base=dict(layers=12, channels=768, heads=12, **_PUBLISHED),
    large=dict(layers=24, channels=1024, heads=16, **_PUBLISHED))


@MODELS.register_module()
class DINOv2Tower(ImageTower):
    """DINOv2's ViT with registers (Oquab et al., TMLR 2024; Darcet et al., ICLR 2024), out of timm's blocks.

    It computes what DINOv2's code does, positions included: these are resized bicubically by a scale that is a tenth
    of a patch more than the input asks for. :class:`TimmTower` has the same model with timm's positions.

    A stage is the blocks' output at a tap, the last one's after the final LayerNorm; class token and registers are
    dropped. DINOv2 knows no sentence, so it has no space in common with one: a learned linear map of the last stage
    stands for it. The mapped patches are the last stage given on, so that the map learns with all that follows. The
    mapped class token stands for the whole image.

    Args:
        architecture (str or dict): ``'base'``, ``'large'``, or a dict of ``layers``, ``channels``, ``heads``,
            ``patch_size``, ``image_size`` (pixels that the positions are made for) and ``registers``. Left out, they
            are those of its ``name``, by default base's.
        joint_channels (int, optional): Width of the joint space, that of the text's. :class:`CLIPEncoder` gives its
            own. None: no map, the last stage itself. Default: None.
        pretrained (str, optional): Weights of DINOv2 with registers, as Meta or timm publish them: a file or an
            address; or a model trained here, or its work folder. Default: None, from scratch.
        trust_pretrained (bool): Also read a file that holds more than tensors, by running what it says. Default: False.
        taps (Sequence[int], optional): Blocks, counted from 1, after which a stage is taken; the last is the last
            block. Default: None, those at a third, two thirds and the end.
        activation_checkpointing (bool): Compute the blocks' activations again in the backward pass. Default: False.
        init_cfg (dict, optional): MMEngine initialisation. Default: None.

    Raises:
        ValueError: If ``architecture`` is unknown, has unknown entries, or numbers that do not go together.
        ValueError: If ``taps`` are no whole numbers, do not increase or do not end at the last block.
    """

    def __init__(self,
                 *,
                 architecture: Union[str, dict],
                 joint_channels: Optional[int] = None,
                 pretrained: Optional[str] = None,
                 trust_pretrained: bool = False,
                 taps: Optional[Sequence[int]] = None,
                 activation_checkpointing: bool = False,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg=init_cfg)
        self.architecture = complete_measures(
            architecture,
            DINOV2_ARCHITECTURES,
            title='DINOv2',
            default='base',
            multiples=(('channels', 'heads'), ('image_size', 'patch_size')))
        layers, channels, patch = (self.architecture[one] for one in ('layers', 'channels', 'patch_size'))
        if taps is not None:
            check_tap_numbers(type(self).__name__, taps)
        self.taps = tuple(default_taps(layers) if taps is None else taps)
        check_taps(type(self).__name__, self.taps, layers)
        self.pretrained, self.trust_pretrained = pretrained, trust_pretrained
        self.activation_checkpointing = activation_checkpointing
        self.cell_channels, self.stride = channels, (patch, patch)
        side = self.architecture['image_size'] // patch
        self.grid = (side, side)

        self.patch_embedding = nn.Conv2d(3, channels, patch, stride=patch)
        self.class_token = nn.Parameter(torch.zeros(1, 1, channels))
        # The class token's first, then the patches', row by row. Registers have none.
        self.positions = nn.Parameter(torch.zeros(1, 1 + side * side, channels))
        self.register_tokens = nn.Parameter(torch.zeros(1, self.architecture['registers'], channels))
        norm = partial(nn.LayerNorm, eps=1e-6)
        self.blocks = nn.ModuleList(
            Block(channels, self.architecture['heads'], qkv_bias=True, init_values=1.0, norm_layer=norm)
            for _ in range(layers))
        self.norm = norm(channels)
        self.projection = nn.Identity() if joint_channels is None else nn.Linear(channels, joint_channels, bias=False)
        self._initialise()

    def _initialise(self) -> None:
        """Begin as DINOv2 does."""
        for token in (self.class_token, self.register_tokens):
            nn.init.normal_(token, std=1e-6)
        nn.init.trunc_normal_(self.positions, std=0.02)
        for module in self.blocks.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    @property
    def pretrained_parts(self) -> Tuple[str, ...]:
        """tuple[str]: What ``pretrained``, if set, fills: all but the map to the joint space."""
        return () if self.pretrained is None else tuple(part.rstrip('.') for part in DINOV2.parts)

    def load_pretrained(self) -> None:
        """Load ``pretrained``, if set.

        Raises:
            FileNotFoundError, ValueError: If the file is missing or cannot be read.
            RuntimeError: If it holds no such DINOv2.
        """
        load_tower(self, DINOV2, 'image tower')

    def stem(self, pixels: Tensor) -> Tensor:
        return self.patch_embedding(pixels)

    def encode(self, embeddings: ImageEmbeddings) -> ImageFeatures:
        tokens, stages, grid = self.add_positions(embeddings), [], tuple(embeddings.cells.shape[-2:])
        for number, block in enumerate(self.blocks, 1):
            tokens = recompute(block, tokens) if self.activation_checkpointing else block(tokens)
            if number in self.taps[:-1]:
                stages.append(split_image_tokens(tokens, grid)[0])
        return self.read_out(tokens, stages, grid, self.projection)

    def add_positions(self, embeddings: ImageEmbeddings) -> Tensor:
        """Class token, registers and patches at their positions, ``(M, T, channels)``: what the first block takes."""
        rows, _, height, width = embeddings.cells.shape
        class_position, positions = self.positions.tensor_split((1, ), dim=1)
        positions = resize_positions(positions[0], self.grid, (height, width), mode='bicubic_offset')
        return torch.cat(((self.class_token + class_position).expand(rows, -1, -1),
                          self.register_tokens.expand(rows, -1, -1),
                          embeddings.cells.flatten(2).transpose(1, 2) + positions), dim=1)

    def read_out(self, tokens: Tensor, stages: Sequence[Tensor], grid: Tuple[int, int],
                 projection: nn.Module) -> ImageFeatures:
        """Make features of what the last block gives.

        Args:
            tokens (Tensor): ``(M, T, channels)``.
            stages (Sequence[Tensor]): ``(M, channels, h, w)``, those before the last.
            grid (tuple[int, int]): h and w.
            projection (nn.Module): The map to the joint space.
        """
        joint = projection(self.norm(tokens))
        pixels, class_token = split_image_tokens(joint, grid)
        return ImageFeatures(
            stages=(*stages, pixels), patches=pixels.flatten(2).transpose(1, 2), image_global=class_token)
