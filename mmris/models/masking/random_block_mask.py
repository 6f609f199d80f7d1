"""Masks of images that know nothing of the sentence."""

from typing import Tuple

from torch import Tensor, nn

from mmris.registry import MODELS
from mmris.structures import ImageInputs, MaskedImages

from .block_patterns import PATTERNS, grid_step


@MODELS.register_module()
class RandomBlockMask(nn.Module):
    """Hides square blocks of images by the mean colour (Lee et al., MaskRIS, 2024).

    The blocks lie on a fixed grid. Each image gets a mask of its own in each step. Hidden pixels are 0 after
    normalisation, which is the mean that the view is normalised by. Blocks in a letterbox border are drawn as any
    other, and what is known of the border does not change. No sentence is looked at, so that the target may vanish.

    Args:
        ratio (float): Share of the blocks that is hidden, in [0, 1]: of n blocks ``floor((1 - ratio) n)`` stay.
            Default: 0.75, so that 147 of 196 go at 448 x 448 pixels.
        block (int): Side of a block in pixels. It must divide height and width of the images. Default: 32.
        pattern (str): ``'random'``: blocks anywhere. ``'grid'``: all but one of each s x s, with a ratio of
            ``1 - 1 / s^2``. ``'block'``: BEiT's rectangles. ``'cutout'``: one square. The paper names the last three
            without details; :mod:`~mmris.models.masking.block_patterns` says what they are here. Default:
            ``'random'``.

    Raises:
        ValueError: If an argument is out of its range, or the pattern is unknown or cannot have the ratio.
    """

    def __init__(self, *, ratio: float = 0.75, block: int = 32, pattern: str = 'random') -> None:
        super().__init__()
        if not 0 <= ratio <= 1:
            raise ValueError(f'ratio of RandomBlockMask is a share in [0, 1], but got {ratio}.')
        if block < 1:
            raise ValueError(f'block of RandomBlockMask is a side in pixels of at least 1, but got {block}.')
        if pattern not in PATTERNS:
            raise ValueError(f'pattern of RandomBlockMask must be one of {", ".join(PATTERNS)}, but got {pattern!r}.')
        if pattern == 'grid':
            grid_step(ratio)
        self.ratio = ratio
        self.block = block
        self.pattern = pattern

    def forward(self, images: ImageInputs, view: str = 'main') -> MaskedImages:
        """Hide blocks of B images.

        Args:
            images (ImageInputs): The images.
            view (str): Name of the view whose pixels are hidden. Default: ``'main'``.

        Returns:
            MaskedImages: The masked images, and which blocks are hidden.

        Raises:
            ValueError: If there is no such view, or blocks do not divide it.
        """
        pixels = images.pixels_of(view)
        rows, _, height, width = pixels.shape
        grid = self._grid(height, width)
        blocks = PATTERNS[self.pattern](rows, grid, self.ratio, pixels.device)
        return MaskedImages(images.with_pixels(view, hide_blocks(pixels, blocks)), blocks, view)

    def _grid(self, height: int, width: int) -> Tuple[int, int]:
        block = self.block
        if height % block or width % block:
            fitting = [side for side in range(8, min(height, width) + 1) if not (height % side or width % side)]
            remedy = f'Set block of RandomBlockMask to one of {", ".join(map(str, fitting))}, or make' if fitting else (
                'Make')
            sizes = ' x '.join(str(max(round(length / block), 1) * block) for length in (height, width))
            raise ValueError(
                f'Blocks of {block} x {block} pixels do not divide the input of {height} x {width} (height x width). '
                f'{remedy} the input {sizes} or another multiple of {block}, if the encoder takes it.')
        return height // block, width // block


def hide_blocks(pixels: Tensor, blocks: Tensor) -> Tensor:
    """Set the pixels of some blocks to 0.

    Args:
        pixels (Tensor): ``(M, 3, H, W)``.
        blocks (Tensor): ``(M, h, w)`` bool over a grid of blocks that cover the pixels, true where hidden.

    Returns:
        Tensor: ``(M, 3, H, W)``, a copy.
    """
    height, width = (size // count for size, count in zip(pixels.shape[-2:], blocks.shape[-2:]))
    hidden = blocks.repeat_interleave(height, dim=1).repeat_interleave(width, dim=2)
    return pixels.masked_fill(hidden.unsqueeze(1), 0)
