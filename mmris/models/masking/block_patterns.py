"""Ways to choose blocks of a grid: each takes rows, the grid, the share to choose, and a device.

All draw from PyTorch's generator, so that a restarted training draws the same.
"""

import math
from typing import Tuple

import torch
from torch import Tensor

# BEiT's smallest rectangle, in cells, and its bounds of height / width.
_FEWEST_CELLS = 16
_ASPECT = (0.3, 1 / 0.3)


def count_blocks(total: int, ratio: float) -> int:
    """How many of ``total`` blocks are chosen so that ``floor((1 - ratio) total)`` stay."""
    # 1 - 0.9 is a little less than 0.1.
    return total - math.floor((1 - ratio) * total + 1e-9)


def draw_random(rows: int, grid: Tuple[int, int], ratio: float, device: torch.device) -> Tensor:
    """Choose blocks anywhere, each set of that many with equal probability.

    Args:
        rows (int): M.
        grid (tuple[int, int]): Height h and width w in blocks.
        ratio (float): Share to choose, in [0, 1].
        device (torch.device): Where to draw.

    Returns:
        Tensor: ``(M, h, w)`` bool.
    """
    total = grid[0] * grid[1]
    order = torch.rand(rows, total, device=device).argsort(dim=1)
    chosen = torch.zeros(rows, total, dtype=torch.bool, device=device)
    return chosen.scatter_(1, order[:, :count_blocks(total, ratio)], True).view(rows, *grid)


def draw_grid(rows: int, grid: Tuple[int, int], ratio: float, device: torch.device) -> Tensor:
    """Choose all blocks but one of each s x s, always the same one of a row, which is drawn (MAE's grid-wise sampling).

    MAE keeps one of each 2 x 2, a ratio of 0.75. Drawing which one is ours: otherwise the same pixels would be hidden
    in every step.

    Args:
        rows (int), grid (tuple[int, int]), ratio (float), device (torch.device): As of :func:`draw_random`; the ratio
            is ``1 - 1 / s^2``. Where s does not divide the grid, the share that is chosen differs a little.

    Returns:
        Tensor: ``(M, h, w)`` bool.
    """
    step = grid_step(ratio)
    kept_y, kept_x = torch.randint(step, (2, rows, 1), device=device)
    y = torch.arange(grid[0], device=device) % step == kept_y
    x = torch.arange(grid[1], device=device) % step == kept_x
    return ~(y[:, :, None] & x[:, None, :])


def grid_step(ratio: float) -> int:
    """The s of a grid that keeps one of each s x s blocks.

    Raises:
        ValueError: If no s gives that ratio.
    """
    step = round((1 - ratio)**-0.5) if ratio < 1 else 0
    if not step or abs(1 - 1 / step**2 - ratio) > 1e-3:
        raise ValueError(f"pattern='grid' of RandomBlockMask keeps one of each s x s blocks, so that ratio must be "
                         f'1 - 1 / s^2, as 0.75 or 0.8889, but got {ratio}.')
    return step


def draw_beit(rows: int, grid: Tuple[int, int], ratio: float, device: torch.device) -> Tensor:
    """Choose rectangles until there are enough (Bao et al., BEiT, 2022, Algorithm 1).

    The area of each is drawn between 16 cells and as many as are still to be chosen, its height / width between 0.3 and
    1 / 0.3, and its place within the grid. Ours: on grids so small that 16 cells are too many, the area is drawn up to
    what is still to be chosen; the last rectangle is cut, row by row, so that exactly as many are chosen as by
    :func:`draw_random`.

    Args:
        rows (int), grid (tuple[int, int]), ratio (float), device (torch.device): As of :func:`draw_random`. Drawn on
            the CPU whatever the device.

    Returns:
        Tensor: ``(M, h, w)`` bool.
    """
    count = count_blocks(grid[0] * grid[1], ratio)
    return torch.stack([_draw_rectangles(grid, count) for _ in range(rows)]).to(device)


def _draw_rectangles(grid: Tuple[int, int], count: int) -> Tensor:
    chosen = torch.zeros(grid, dtype=torch.bool, device='cpu')
    while (lacking := count - int(chosen.sum())) > 0:
        area, aspect, top, left = torch.rand(4, device='cpu').tolist()
        fewest = min(_FEWEST_CELLS, lacking)
        area = fewest + area * (lacking - fewest)
        aspect = _ASPECT[0] + aspect * (_ASPECT[1] - _ASPECT[0])
        height = min(max(round(math.sqrt(area * aspect)), 1), grid[0])
        width = min(max(round(math.sqrt(area / aspect)), 1), grid[1])
        y, x = int(top * (grid[0] - height + 1)), int(left * (grid[1] - width + 1))
        rectangle = torch.zeros_like(chosen)
        rectangle[y:y + height, x:x + width] = True
        added = (rectangle & ~chosen).flatten()
        chosen |= (added & (added.cumsum(0) <= lacking)).view(grid)
    return chosen


def draw_square(rows: int, grid: Tuple[int, int], ratio: float, device: torch.device) -> Tensor:
    """Choose one square anywhere (DeVries and Taylor, Cutout, 2017).

    Ours: it consists of whole blocks, lies within the grid, and its side is the number of blocks that comes nearest to
    ``ratio`` of the grid's area.

    Args:
        rows (int), grid (tuple[int, int]), ratio (float), device (torch.device): As of :func:`draw_random`.

    Returns:
        Tensor: ``(M, h, w)`` bool.
    """
    side = min(round(math.sqrt(ratio * grid[0] * grid[1])), *grid)

    def places(length: int) -> Tensor:
        first = torch.randint(length - side + 1, (rows, 1), device=device)
        position = torch.arange(length, device=device)
        return (position >= first) & (position < first + side)

    return places(grid[0])[:, :, None] & places(grid[1])[:, None, :]


PATTERNS = dict(random=draw_random, grid=draw_grid, block=draw_beit, cutout=draw_square)
