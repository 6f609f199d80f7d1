"""Grids of patches."""

from typing import Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor


def patch_grid(input_size: Tuple[int, int], stride: Tuple[int, int]) -> Tuple[int, int]:
    """Count the patches of an input.

    Args:
        input_size (tuple[int, int]): Height and width in pixels.
        stride (tuple[int, int]): Height and width of a patch in pixels.

    Returns:
        tuple[int, int]: Height and width in patches.

    Raises:
        ValueError: If height or width is not a multiple of the patch's.
    """
    (height, width), (patch_height, patch_width) = input_size, stride
    if height % patch_height or width % patch_width:
        raise ValueError(
            f'The input is {height} x {width} pixels (height x width), but must be a multiple of {patch_height} x '
            f'{patch_width}, a patch of the encoder\'s output. Change inputs.views.main.size in the config.')
    return height // patch_height, width // patch_width


def resize_positions(positions: Tensor, grid: Tuple[int, int], size: Tuple[int, int], mode: str = 'bicubic') -> Tensor:
    """Resize a learned position embedding of a grid.

    Args:
        positions (Tensor): ``(grid_height * grid_width, C)``, row by row.
        grid (tuple[int, int]): Height and width of the learned grid.
        size (tuple[int, int]): Wanted height and width.
        mode (str): ``'bicubic'``, corners not aligned, as CLIP's and BEiT-3's are; ``'bilinear'``, corners aligned, as
            ViLT's are; or ``'bicubic_offset'``, as DINOv2's are: bicubic, by a scale that is a tenth of a cell more
            than the size asks for. Defaults to ``'bicubic'``.

    Returns:
        Tensor: ``(height * width, C)``; ``positions`` itself where the size is the learned one.
    """
    if grid == size:
        return positions
    image = positions.T.reshape(1, -1, *grid)
    if mode == 'bicubic_offset':
        scale = tuple((wanted + 0.1) / learned for wanted, learned in zip(size, grid))
        resized = F.interpolate(image, scale_factor=scale, mode='bicubic', align_corners=False)
    else:
        resized = F.interpolate(image, size=size, mode=mode, align_corners=mode == 'bilinear')
    return resized.flatten(2)[0].T


def patches_inside(image_box: Tensor, grid: Tuple[int, int], input_size: Tuple[int, int]) -> Tensor:
    """Find the patches that hold some image, not only letterbox border.

    Args:
        image_box (Tensor): ``(B, 4)`` float, ``x0, y0, x1, y1`` in input pixels.
        grid (tuple[int, int]): Height and width in patches.
        input_size (tuple[int, int]): Height and width in pixels.

    Returns:
        Tensor: ``(B, h, w)`` bool.
    """

    def overlaps(low: Tensor, high: Tensor, count: int, length: int) -> Tensor:
        edge = torch.arange(count + 1, device=image_box.device) * (length / count)
        return (edge[:-1] < high[:, None]) & (edge[1:] > low[:, None])

    x0, y0, x1, y1 = image_box.unbind(dim=1)
    rows = overlaps(y0, y1, grid[0], input_size[0])
    columns = overlaps(x0, x1, grid[1], input_size[1])
    return rows[:, :, None] & columns[:, None, :]


def mean_inside(patches: Tensor, inside: Tensor) -> Tensor:
    """Average the patches that hold some image.

    Args:
        patches (Tensor): ``(M, N, C)``, row by row.
        inside (Tensor): ``(M, h, w)`` bool, as :func:`patches_inside` gives it, of N patches.

    Returns:
        Tensor: ``(M, C)``.
    """
    weights = inside.flatten(1).float()
    weights = weights / weights.sum(dim=1, keepdim=True).clamp(min=1)
    return torch.einsum('mn,mnc->mc', weights.to(patches.dtype), patches)


def mask_coverage(masks: Tensor, grid: Tuple[int, int], region: Optional[Tensor] = None) -> Tensor:
    """How much of each cell of a grid masks cover.

    Args:
        masks (Tensor): ``(B, K, H, W)`` bool, or float in [0, 1]; K may be 0.
        grid (tuple[int, int]): Height and width in cells.
        region (Tensor, optional): ``(B, 4)`` float32, ``x0, y0, x1, y1`` of the rectangle that the grid covers, in
            pixels. Beyond the masks nothing is covered. Default: None, the grid covers the masks.

    Returns:
        Tensor: ``(B, K, h, w)`` float32, shares in [0, 1].
    """
    if region is not None:
        x0, y0, x1, y1 = region.unbind(dim=1)
        rows, columns = _shares(y0, y1, grid[0], masks.size(2)), _shares(x0, x1, grid[1], masks.size(3))
        return torch.einsum('bhy,bkyx,bwx->bkhw', rows, masks.float(), columns)
    return F.adaptive_avg_pool2d(masks.flatten(0, 1).unsqueeze(1).float(), grid).view(*masks.shape[:2], *grid)


def _shares(low: Tensor, high: Tensor, count: int, length: int) -> Tensor:
    """Of each of ``count`` cells between ``low`` and ``high``, ``(B,)``, the share in each of ``length`` pixels.

    Returns:
        Tensor: ``(B, count, length)`` float32.
    """
    side = (high - low)[:, None] / count
    edges = low[:, None] + side * torch.arange(count + 1, device=low.device)
    pixels = torch.arange(length, device=low.device)
    overlap = torch.minimum(edges[:, 1:, None], pixels + 1) - torch.maximum(edges[:, :-1, None], pixels)
    return overlap.clamp(min=0) / side[:, :, None]
