"""SAM 2's image encoder as a tower of its own."""

import math
from typing import Any, Dict, List, Optional, Tuple, Union

import torch
import torch.nn.functional as F
from timm.models.hieradet_sam2 import HieraDet
from torch import Tensor, nn

from mmris.registry import MODELS

from ...layers import patch_grid
from ...published_part import PublishedPart
from .image_tower import recompute
from .measures import complete_measures

_PUBLISHED = dict(out_channels=256)
# SAM 2's sizes as they were published. Layers are counted from 1, over all stages.
SAM2_ARCHITECTURES: Dict[str, Dict[str, Any]] = dict(
    tiny=dict(
        layers=(1, 2, 7, 2), channels=96, heads=1, global_layers=(6, 8, 10), window_sizes=(8, 4, 14, 7),
        position_grid=7, **_PUBLISHED),
    small=dict(
        layers=(1, 2, 11, 2), channels=96, heads=1, global_layers=(8, 11, 14), window_sizes=(8, 4, 14, 7),
        position_grid=7, **_PUBLISHED),
    base_plus=dict(
        layers=(2, 3, 16, 3), channels=112, heads=2, global_layers=(13, 17, 21), window_sizes=(8, 4, 14, 7),
        position_grid=14, **_PUBLISHED),
    large=dict(
        layers=(2, 6, 36, 4), channels=144, heads=2, global_layers=(24, 34, 44), window_sizes=(8, 4, 16, 8),
        position_grid=7, **_PUBLISHED))
STAGES = 4
# Pixels of a cell of the first stage, which each further stage doubles.
_FIRST_STRIDE = 4


@MODELS.register_module()
class SAM2Tower(PublishedPart):
    """The image encoder of SAM 2 (Ravi et al., SAM 2: Segment Anything in Images and Videos, 2024), on timm's Hiera.

    A Hiera of four stages, each with half the cells and twice the width of the one before. Its layers attend inside of
    windows, but for a few that attend to the whole image. Then a feature pyramid, whose deepest stage is added to the
    one before it and not used otherwise. Then what SAM 2 computes of an image alone: the two finer maps as narrow as
    the mask decoder takes them, and the vector that says that there are no frames before this one. It sees no sentence,
    so its maps belong to an image, whatever is asked about it.

    Positions are resized to the input, plus those inside of a window, which are repeated.

    Args:
        architecture (str or dict): ``'tiny'``, ``'small'``, ``'base_plus'``, ``'large'``, or a dict of ``layers`` (of
            each of the four stages), ``channels`` and ``heads`` (of the first stage), ``global_layers`` (layers,
            counted from 1 over all stages, that attend to the whole image), ``window_sizes`` (of each stage, in
            cells), ``position_grid`` (rows and columns of the positions that are resized) and ``out_channels`` (of the
            deepest map). Left out, they are those of its ``name``, by default base_plus's.
        pretrained (str, optional): Weights of SAM 2, as they are published or converted: a file, an address, or the
            work folder of a training here. The tower is taken. Default: None, from scratch.
        trust_pretrained (bool): Also read a file that holds more than tensors, by running what it says. Default: False.
        activation_checkpointing (bool): Keep no activations inside the layers, and compute them again in the backward
            pass: less memory, more time, the same gradients. Default: False.
        init_cfg (dict, optional): MMEngine initialisation. Default: None.

    Attributes:
        out_channels (tuple[int]): Width of each map.
        stride (tuple[int, int]): Height and width, in pixels, that inputs are multiples of: a window of the first
            stage and a cell of the last. It is 32 for the published sizes.

    Raises:
        ValueError: If ``architecture`` is unknown, has unknown entries, or numbers that do not go together.
    """

    published_as = 'encoder.segmenter.'

    def __init__(self,
                 *,
                 architecture: Union[str, dict],
                 pretrained: Optional[str] = None,
                 trust_pretrained: bool = False,
                 activation_checkpointing: bool = False,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(pretrained=pretrained, trust_pretrained=trust_pretrained, init_cfg=init_cfg)
        self.architecture = complete_sam2_architecture(architecture)
        self.activation_checkpointing = activation_checkpointing
        sizes = self.architecture
        width = sizes['out_channels']
        self.out_channels = (width // 8, width // 4, width)
        self.stride = (_FIRST_STRIDE * math.lcm(2**(STAGES - 1), sizes['window_sizes'][0]), ) * 2
        self.hiera = HieraDet(
            embed_dim=sizes['channels'],
            num_heads=sizes['heads'],
            stages=sizes['layers'],
            global_pos_size=(sizes['position_grid'], ) * 2,
            window_spec=sizes['window_sizes'],
            global_att_blocks=tuple(number - 1 for number in sizes['global_layers']),
            num_classes=0)
        # Nothing reads the norm that timm keeps for a classifier.
        self.hiera.head = nn.Identity()
        self.laterals = nn.ModuleList(nn.Conv2d(sizes['channels'] * 2**stage, width, 1) for stage in range(STAGES))
        self.narrowing = nn.ModuleList(nn.Conv2d(width, channels, 1) for channels in self.out_channels[:-1])
        self.no_memory = nn.Parameter(nn.init.trunc_normal_(torch.empty(1, 1, width), std=0.02))

    def forward(self, pixels: Tensor) -> Tuple[Tensor, ...]:
        """Encode B images.

        Args:
            pixels (Tensor): ``(B, 3, H, W)``, normalised by SAM's mean and standard deviation.

        Returns:
            tuple[Tensor]: Maps from shallow to deep: ``(B, out_channels / 8, H / 4, W / 4)``,
            ``(B, out_channels / 4, H / 8, W / 8)`` and ``(B, out_channels, H / 16, W / 16)``.

        Raises:
            ValueError: If height or width is not a multiple of the stride.
        """
        patch_grid(tuple(pixels.shape[-2:]), self.stride)
        *finer, deep, deepest = (lateral(stage) for lateral, stage in zip(self.laterals, self._stages(pixels)))
        deep = deep + F.interpolate(deepest, scale_factor=2, mode='nearest')
        return (*(narrow(level) for narrow, level in zip(self.narrowing, finer)),
                deep + self.no_memory.reshape(-1, 1, 1))

    def _stages(self, pixels: Tensor) -> List[Tensor]:
        """The output of each stage, ``(B, C, h, w)``."""
        cells, stages = self.hiera._pos_embed(self.hiera.patch_embed(pixels)), []
        for number, block in enumerate(self.hiera.blocks):
            cells = recompute(block, cells) if self.activation_checkpointing else block(cells)
            if number in self.hiera.stage_ends:
                stages.append(cells.permute(0, 3, 1, 2))
        return stages


def complete_sam2_architecture(architecture: Union[str, dict]) -> Dict[str, Any]:
    """Give all measures of an architecture of SAM 2.

    Args:
        architecture (str or dict): See :class:`SAM2Tower`.

    Returns:
        dict: Each measure by name: whole numbers, and tuples of these.

    Raises:
        ValueError: If it is unknown, has unknown entries, or numbers that do not go together.
    """
    complete = complete_measures(
        architecture, SAM2_ARCHITECTURES, title='SAM 2', default='base_plus', multiples=(('channels', 'heads'), ))
    for measure in ('layers', 'window_sizes'):
        if len(complete[measure]) != STAGES:
            raise ValueError(f'{measure} of the architecture must have a number for each of the {STAGES} stages, but '
                             f'got {complete[measure]}.')
    if any(size % 2 for size in complete['window_sizes'][:-1]):
        raise ValueError(f'window_sizes of the architecture must be even for all stages but the last, since the next '
                         f'stage begins by halving a window, but got {complete["window_sizes"]}.')
    if complete['out_channels'] % 8:
        raise ValueError(f'out_channels of the architecture must be a multiple of 8, since the finest map is an eighth '
                         f'as wide as the deepest, but got {complete["out_channels"]}.')
    return complete
