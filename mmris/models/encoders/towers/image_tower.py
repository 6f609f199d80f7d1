"""The contract of image towers: image encoders that do not see the sentence."""

from abc import abstractmethod
from contextlib import nullcontext
from typing import Any, Callable, Optional, Sequence, Tuple

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from mmris.structures import ImageEmbeddings, ImageFeatures, ImageInputs

from ...layers import keep_running_statistics, patch_grid, patches_inside, restore_running_statistics


class ImageTower(BaseModule):
    """Turns pixels into cells without position, and cells into features.

    Attributes:
        cell_channels (int): Width of a cell: what a mask token replaces.
        stride (tuple[int, int]): Height and width, in pixels, of a patch of the output; inputs are multiples of it.
    """

    cell_channels: int
    stride: Tuple[int, int]

    @property
    def pretrained_parts(self) -> Tuple[str, ...]:
        """tuple[str]: Dotted names of submodules that :meth:`load_pretrained` fills wholly; none by default."""
        return ()

    def load_pretrained(self) -> None:
        """Load weights that the tower's own config names; nothing by default."""

    @abstractmethod
    def stem(self, pixels: Tensor) -> Tensor:
        """Turn ``(B, 3, H, W)`` pixels into ``(B, cell_channels, h', w')`` cells.

        A patch of the output has a whole number of cells.
        """

    @abstractmethod
    def encode(self, embeddings: ImageEmbeddings) -> ImageFeatures:
        """Turn the cells of M images into features: stages, patches in the joint space, and the whole image there."""

    def embed(self, images: ImageInputs) -> ImageEmbeddings:
        """Embed B images.

        Raises:
            ValueError: If height or width is not a multiple of the stride.
        """
        size = tuple(images.pixels.shape[-2:])
        inside = patches_inside(images.box, patch_grid(size, self.stride), size)
        return ImageEmbeddings(cells=self.stem(images.pixels), inside=inside)


def recompute(block: Callable, *inputs: Any, context_fn: Optional[Callable] = None, **options: Any) -> Any:
    """Run a block keeping no activations inside it, and again in the backward pass, where gradients are wanted.

    Args:
        block (Callable): What is run.
        *inputs: What it takes.
        context_fn (Callable, optional): Gives two contexts, of the first run and of the second. Defaults to None.
        **options: What it takes by name.

    Returns:
        Any: What it returns.
    """
    if not torch.is_grad_enabled():
        return block(*inputs, **options)
    if context_fn is None:
        return checkpoint(block, *inputs, use_reentrant=False, **options)
    return _recompute_in_contexts(block, *inputs, context_fn=context_fn, **options)


@torch.compiler.disable
def _recompute_in_contexts(block: Callable, *inputs: Any, **options: Any) -> Any:
    """Apart, since torch.compile knows no contexts but its own."""
    return checkpoint(block, *inputs, use_reentrant=False, **options)


def recompute_counted(module: nn.Module, function: Callable, *inputs: Any, **options: Any) -> Any:
    """Run a function as :func:`recompute` does; the BatchNorms of a module in it count each batch once.

    Args:
        module (nn.Module): The module.
        function (Callable): What is run.
        *inputs: What it takes.
        **options: What it takes by name.

    Returns:
        Any: What it returns.
    """
    norms = [norm for norm in module.modules() if isinstance(norm, _BatchNorm)]
    if not norms:
        return recompute(function, *inputs, **options)
    # What is computed again has been counted already, or was not to be.
    counted = all(norm.track_running_stats for norm in norms)
    context = restore_running_statistics if counted else keep_running_statistics
    return recompute(function, *inputs, context_fn=lambda: (nullcontext(), context(module)), **options)


def default_taps(depth: int) -> Tuple[int, ...]:
    """The blocks, counted from 1, at a third, two thirds and the end.

    Raises:
        ValueError: If there are fewer than three.
    """
    if depth < 3:
        raise ValueError(f'An image tower of {depth} blocks has no default taps, which are three: set taps=({depth},).')
    return depth - 2 * (depth // 3), depth - depth // 3, depth


def check_taps(owner: str, taps: Sequence[int], depth: int) -> None:
    """Check after which blocks of an encoder stages are taken.

    Args:
        owner (str): The encoder, for the message.
        taps (Sequence[int]): Numbers of blocks, counted from 1.
        depth (int): How many blocks there are.

    Raises:
        ValueError: If they are no whole numbers, do not increase, or do not end at the last block.
    """
    check_tap_numbers(owner, taps)
    if list(taps) != sorted(set(taps)) or not taps or taps[0] < 1 or taps[-1] != depth:
        raise ValueError(
            f'taps must increase, begin at 1 or later, and end at the last of {depth} blocks, but got {tuple(taps)}.')


def check_tap_numbers(owner: str, taps: Sequence[int]) -> None:
    """Check what can be known of taps before the depth is.

    Raises:
        ValueError: If they are no whole numbers.
    """
    if not isinstance(taps, Sequence) or not all(isinstance(tap, int) for tap in taps):
        raise ValueError(f'taps of {owner} must be whole numbers in a list, such as (2, 3, 4), but got {taps!r}.')
