"""Swin's blocks in the form of detection and segmentation: padded first, then shifted."""

from typing import Optional, Tuple

import torch
import torch.nn.functional as F
from timm.layers import DropPath, Mlp
from torch import Tensor, nn

# What is added to scores between cells that the shift has brought together, as Swin's authors have it.
_APART = -100.0


class WindowAttention(nn.Module):
    """Attention of the cells in a window on one another, with a learned bias for each relative position.

    Args:
        channels (int): Width of the cells, divisible by ``heads``.
        heads (int): Attention heads.
        window (int): Rows and columns of a window.
    """

    def __init__(self, channels: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads = heads
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * window - 1)**2, heads))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)
        self.register_buffer('relative_position_index', _position_index(window), persistent=False)

    def forward(self, windows: Tensor, mask: Optional[Tensor]) -> Tensor:
        """Attend.

        Args:
            windows (Tensor): ``(M, W, N, channels)``, W windows of N cells.
            mask (Tensor, optional): ``(W, N, N)`` float, added to the scores. None: nothing is.

        Returns:
            Tensor: ``(M, W, N, channels)``.
        """
        count = windows.size(1)
        query, key, value = self.qkv(windows).unflatten(3, (3, self.heads, -1)).permute(3, 0, 1, 4, 2, 5)
        bias = self.relative_position_bias_table[self.relative_position_index].permute(2, 0, 1)
        if mask is None:
            # Windows are alike, so they are rows.
            query, key, value = (part.flatten(0, 1) for part in (query, key, value))
            bias = bias[None]
        else:
            # As heads they share their masks among images.
            query, key, value = (part.flatten(1, 2) for part in (query, key, value))
            bias = (bias + mask[:, None]).flatten(0, 1)[None]
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=bias.to(query.dtype))
        attended = attended.unflatten(0, (-1, count)) if mask is None else attended.unflatten(1, (count, -1))
        return self.proj(attended.transpose(2, 3).flatten(3))


class PaddedSwinBlock(nn.Module):
    """A block of Swin on a map of any size.

    The map is padded with zeros at its right and bottom to whole windows, behind the first LayerNorm; then shifted.
    Cells attend to padding as to any other cell.

    Args:
        channels (int): Width of the cells, divisible by ``heads``.
        heads (int): Attention heads.
        window (int): Rows and columns of a window.
        shift (int): By how many rows and columns windows are shifted; 0 for not at all.
        drop_path (float): Probability of leaving out attention or MLP of a sample in training.
    """

    def __init__(self, channels: int, heads: int, *, window: int, shift: int, drop_path: float) -> None:
        super().__init__()
        self.window, self.shift = window, shift
        self.norm1 = nn.LayerNorm(channels)
        self.attn = WindowAttention(channels, heads, window)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = Mlp(channels, 4 * channels)
        self.drop_path = DropPath(drop_path) if drop_path else nn.Identity()

    def forward(self, cells: Tensor, mask: Optional[Tensor]) -> Tensor:
        """Run the block.

        Args:
            cells (Tensor): ``(M, h, w, channels)``.
            mask (Tensor, optional): Of :func:`shift_mask` for this map, for a block that shifts.

        Returns:
            Tensor: ``(M, h, w, channels)``.
        """
        cells = cells + self.drop_path(self._attend(self.norm1(cells), mask if self.shift else None))
        return cells + self.drop_path(self.mlp(self.norm2(cells)))

    def _attend(self, cells: Tensor, mask: Optional[Tensor]) -> Tensor:
        height, width = cells.shape[1:3]
        rows, columns = padded_size((height, width), self.window)
        cells = F.pad(cells, (0, 0, 0, columns - width, 0, rows - height))
        if self.shift:
            cells = cells.roll((-self.shift, -self.shift), (1, 2))
        cells = join_windows(self.attn(split_windows(cells, self.window), mask), (rows, columns), self.window)
        if self.shift:
            cells = cells.roll((self.shift, self.shift), (1, 2))
        return cells[:, :height, :width]


class PatchMerging(nn.Module):
    """Four neighbours become one cell of twice their width. A map of an odd size is padded with zeros.

    Args:
        channels (int): Width of the cells.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4 * channels)
        self.reduction = nn.Linear(4 * channels, 2 * channels, bias=False)

    def forward(self, cells: Tensor) -> Tensor:
        """Merge ``(M, h, w, channels)`` to half the size, rounded up."""
        cells = F.pad(cells, (0, 0, 0, cells.size(2) % 2, 0, cells.size(1) % 2))
        # By columns, then rows, as Swin's authors have them.
        neighbours = cells.unflatten(1, (-1, 2)).unflatten(3, (-1, 2)).permute(0, 1, 3, 4, 2, 5).flatten(3)
        return self.reduction(self.norm(neighbours))


def padded_size(size: Tuple[int, int], window: int) -> Tuple[int, int]:
    """Height and width, in cells, of whole windows."""
    return tuple(-(-length // window) * window for length in size)


def split_windows(cells: Tensor, window: int) -> Tensor:
    """Split a map ``(M, h, w, C)`` of whole windows into these, ``(M, W, N, C)``."""
    tiles = cells.unflatten(1, (-1, window)).unflatten(3, (-1, window)).transpose(2, 3)
    return tiles.flatten(3, 4).flatten(1, 2)


def join_windows(windows: Tensor, size: Tuple[int, int], window: int) -> Tensor:
    """Undo :func:`split_windows`: a map of ``size``."""
    tiles = windows.unflatten(1, (size[0] // window, size[1] // window)).unflatten(3, (window, window))
    return tiles.transpose(2, 3).flatten(3, 4).flatten(1, 2)


def shift_mask(cells: Tensor, window: int, shift: int) -> Tensor:
    """What keeps cells apart that a shift has brought into one window from opposite sides of the map.

    Args:
        cells (Tensor): ``(M, h, w, C)``, a map before it is padded.
        window (int): Rows and columns of a window.
        shift (int): By how many rows and columns it is shifted.

    Returns:
        Tensor: ``(W, N, N)``, to be added to scores.
    """
    rows, columns = (_regions(length, window, shift, cells.device) for length in padded_size(cells.shape[1:3], window))
    region = split_windows((3 * rows[:, None] + columns)[None, :, :, None], window)[0, :, :, 0]
    apart = region[:, :, None] != region[:, None]
    return torch.zeros_like(apart, dtype=cells.dtype).masked_fill(apart, _APART)


def _regions(length: int, window: int, shift: int, device: torch.device) -> Tensor:
    """Of each row or column of a shifted map, whether it shares its windows with others: 0, 1 or 2."""
    place = torch.arange(length, device=device)
    return (place >= length - window).long() + (place >= length - shift).long()


def _position_index(window: int) -> Tensor:
    """``(N, N)``, the row of the table of biases for two cells of a window."""
    place = torch.arange(window)
    cells = torch.stack((place.repeat_interleave(window), place.repeat(window)))
    rows, columns = cells[:, :, None] - cells[:, None] + window - 1
    return rows * (2 * window - 1) + columns
