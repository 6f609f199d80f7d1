"""Swin as a tower that can be stopped between its stages."""

from typing import Any, Dict, Optional, Tuple, Union

from mmengine.model import BaseModule
from torch import Tensor, nn

from mmris.checkpoints.published import SWIN_STAGES
from mmris.registry import MODELS

from .image_tower import recompute
from .measures import complete_measures
from .published_tower import load_tower
from .swin_block import PaddedSwinBlock, PatchMerging, shift_mask

_PATCH = 4
_DEEP = (2, 2, 18, 2)
# Swin's sizes as they were published.
SWIN_ARCHITECTURES: Dict[str, Dict[str, Any]] = dict(
    tiny=dict(layers=(2, 2, 6, 2), channels=96, heads=(3, 6, 12, 24), window=7),
    small=dict(layers=_DEEP, channels=96, heads=(3, 6, 12, 24), window=7),
    base=dict(layers=_DEEP, channels=128, heads=(4, 8, 16, 32), window=7),
    base_window12=dict(layers=_DEEP, channels=128, heads=(4, 8, 16, 32), window=12),
    large=dict(layers=_DEEP, channels=192, heads=(6, 12, 24, 48), window=7),
    large_window12=dict(layers=_DEEP, channels=192, heads=(6, 12, 24, 48), window=12))


class SwinStage(nn.Module):
    """Blocks, every second of which shifts its windows, and the merging that leads to the next stage, if there is one.

    Args:
        channels (int): Width of the cells.
        heads (int): Attention heads.
        window (int): Rows and columns of a window.
        drop_path (Sequence[float]): Of each block.
        merges (bool): Whether there is a next stage.
    """

    def __init__(self, channels: int, heads: int, *, window: int, drop_path: Tuple[float, ...], merges: bool) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            PaddedSwinBlock(channels, heads, window=window, shift=number % 2 * (window // 2), drop_path=rate)
            for number, rate in enumerate(drop_path))
        self.downsample = PatchMerging(channels) if merges else None


@MODELS.register_module()
class PaddedSwin(BaseModule):
    """Swin (Liu et al., ICCV 2021) as detection and segmentation run it, on maps of any size.

    Where windows do not divide a map, it is padded with zeros to whole windows and then shifted, and windows attend to
    padding, as in Microsoft's detection code and MMPretrain's ``pad_small_map=True``. timm shifts first, which is
    another function there. The stages are run one by one, so that an encoder can change a map between two of them. No
    norm follows a stage.

    Args:
        architecture (str or dict): ``'tiny'``, ``'small'``, ``'base'``, ``'large'``, with windows of 7 cells,
            ``'base_window12'``, ``'large_window12'``, or a dict of ``layers`` (blocks of each stage, of which there
            are two or more), ``channels`` (of the first stage, doubled by each further one), ``heads`` (of each stage)
            and ``window`` (rows and columns, in cells). Left out, they are those of its ``name``, by default base's.
        drop_path (float): Probability, in training, of leaving out attention or MLP of a sample in the last block; it
            rises linearly from 0 at the first. Default: 0.3.
        pretrained (str, optional): Weights of Swin, as Microsoft, MMPretrain or MMSegmentation publish them: a file or
            an address; or a model trained here, or its work folder. Default: None, from scratch.
        trust_pretrained (bool): Also read a file that holds more than tensors, by running what it says. Default: False.
        activation_checkpointing (bool): Compute the blocks' activations again in the backward pass. Default: False.
        init_cfg (dict, optional): MMEngine initialisation. Default: None.

    Attributes:
        channels (tuple[int]): Width of each stage.
        cell_channels (int): Width of the first one's cells.
        stride (tuple[int, int]): Height and width, in pixels, of a cell of the last stage.

    Raises:
        ValueError: If ``architecture`` is unknown, has unknown entries, or numbers that do not go together.
        ValueError: If ``drop_path`` is not in [0, 1).
    """

    def __init__(self,
                 *,
                 architecture: Union[str, dict],
                 drop_path: float = 0.3,
                 pretrained: Optional[str] = None,
                 trust_pretrained: bool = False,
                 activation_checkpointing: bool = False,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg=init_cfg)
        if not 0 <= drop_path < 1:
            raise ValueError(f'drop_path of PaddedSwin must be in [0, 1), but got {drop_path}.')
        self.architecture = complete_swin_architecture(architecture)
        self.pretrained, self.trust_pretrained = pretrained, trust_pretrained
        self.activation_checkpointing = activation_checkpointing
        layers, heads = self.architecture['layers'], self.architecture['heads']
        self.channels = tuple(self.architecture['channels'] * 2**stage for stage in range(len(layers)))
        self.cell_channels = self.channels[0]
        self.stride = (_PATCH * 2**(len(layers) - 1), ) * 2
        self.patch_embed = nn.ModuleDict(
            dict(
                proj=nn.Conv2d(3, self.cell_channels, _PATCH, stride=_PATCH),
                norm=nn.LayerNorm(self.cell_channels)))
        rates = [drop_path * block / max(1, sum(layers) - 1) for block in range(sum(layers))]
        self.layers = nn.ModuleList(
            SwinStage(
                channels,
                heads[stage],
                window=self.architecture['window'],
                drop_path=tuple(rates[sum(layers[:stage]):sum(layers[:stage + 1])]),
                merges=stage + 1 < len(layers)) for stage, channels in enumerate(self.channels))
        self._initialise()

    def _initialise(self) -> None:
        """Begin as Swin does."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    @property
    def pretrained_parts(self) -> Tuple[str, ...]:
        """tuple[str]: What ``pretrained``, if set, fills: all."""
        return () if self.pretrained is None else ('patch_embed', 'layers')

    def load_pretrained(self) -> None:
        """Load ``pretrained``, if set.

        Raises:
            FileNotFoundError, ValueError: If the file is missing or cannot be read.
            RuntimeError: If it holds no such Swin.
        """
        load_tower(self, SWIN_STAGES, 'image tower')

    def stem(self, pixels: Tensor) -> Tensor:
        """Turn ``(B, 3, H, W)`` pixels into ``(B, cell_channels, H / 4, W / 4)`` cells."""
        cells = self.patch_embed.proj(pixels).permute(0, 2, 3, 1)
        return self.patch_embed.norm(cells).permute(0, 3, 1, 2)

    def run_stage(self, index: int, cells: Tensor) -> Tensor:
        """Run the blocks of a stage.

        Args:
            index (int): The stage, counted from 0.
            cells (Tensor): ``(M, C, h, w)``, of the stage's width.

        Returns:
            Tensor: ``(M, C, h, w)``.
        """
        cells = cells.permute(0, 2, 3, 1)
        window, blocks = self.architecture['window'], self.layers[index].blocks
        shift = max(block.shift for block in blocks)
        mask = shift_mask(cells, window, shift) if shift else None
        for block in blocks:
            cells = recompute(block, cells, mask) if self.activation_checkpointing else block(cells, mask)
        return cells.permute(0, 3, 1, 2)

    def merge(self, index: int, cells: Tensor) -> Tensor:
        """Bring a map to the next stage: half the size, rounded up, and twice the width.

        Args:
            index (int): The stage that the map comes from, counted from 0; not the last.
            cells (Tensor): ``(M, C, h, w)``.

        Returns:
            Tensor: ``(M, 2 C, h / 2, w / 2)``.
        """
        return self.layers[index].downsample(cells.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def complete_swin_architecture(architecture: Union[str, dict]) -> Dict[str, Any]:
    """Give all measures of an architecture of Swin.

    Args:
        architecture (str or dict): See :class:`PaddedSwin`.

    Returns:
        dict: Each measure by name: whole numbers, and tuples of these.

    Raises:
        ValueError: If it is unknown, has unknown entries, or numbers that do not go together.
    """
    complete = complete_measures(architecture, SWIN_ARCHITECTURES, title='Swin', default='base')
    layers, heads = complete['layers'], complete['heads']
    if len(layers) < 2 or len(layers) != len(heads):
        raise ValueError(f'layers and heads of the architecture must have a number for each stage, of which there are '
                         f'two or more, but got {layers} and {heads}.')
    for stage, count in enumerate(heads):
        width = complete['channels'] * 2**stage
        if width % count:
            raise ValueError(f'heads of the architecture must divide the width of their stage, but stage {stage + 1} '
                             f'has {count} heads and {width} channels.')
    return complete
