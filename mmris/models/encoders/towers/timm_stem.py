"""The stem of a model of timm, which turns pixels into cells, apart from the rest of it."""

from typing import Any, Tuple

from torch import Tensor, nn

#: How stems lay out what they return: a map, a map with channels last, or a sequence.
MAP, CHANNELS_LAST, SEQUENCE = 'NCHW', 'NHWC', 'NLC'


class SplitStem(nn.Module):
    """Stands for the stem in its model: pixels become cells by :meth:`read`, and the model is given cells.

    The model's attributes of its stem, such as the size of a patch, are found as before.

    Args:
        stem (nn.Module): The stem.
        layout (str): How it lays out what it returns: ``'NCHW'``, ``'NHWC'`` or ``'NLC'``.
        with_size (bool): Whether it returns a tuple of that and of its height and width.
    """

    def __init__(self, stem: nn.Module, *, layout: str, with_size: bool) -> None:
        super().__init__()
        self.stem = stem
        self.layout, self.with_size = layout, with_size

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            # Not while a copy is made, which has no stem yet.
            stem = self.__dict__.get('_modules', {}).get('stem')
            if stem is None:
                raise
            return getattr(stem, name)

    def put_into(self, model: nn.Module, name: str) -> None:
        """Stand in a model where its stem has stood, at a dotted name."""
        owner, _, own = name.rpartition('.')
        model.get_submodule(owner).register_module(own, self)

    def read(self, pixels: Tensor, grid: Tuple[int, int]) -> Tensor:
        """Turn pixels into cells.

        Args:
            pixels (Tensor): ``(B, 3, H, W)``.
            grid (tuple[int, int]): Height and width in cells.

        Returns:
            Tensor: ``(B, C, h', w')``.
        """
        cells = self.stem(pixels)
        if self.with_size:
            cells = cells[0]
        if self.layout == SEQUENCE:
            return cells.transpose(1, 2).unflatten(2, grid)
        return cells.permute(0, 3, 1, 2) if self.layout == CHANNELS_LAST else cells

    def forward(self, cells: Tensor, **_: None) -> Any:
        """Give cells ``(M, C, h', w')`` to the model as its stem would have, which may be asked with what is absent."""
        size = tuple(cells.shape[-2:])
        if self.layout == SEQUENCE:
            cells = cells.flatten(2).transpose(1, 2)
        elif self.layout == CHANNELS_LAST:
            cells = cells.permute(0, 2, 3, 1)
        return (cells, size) if self.with_size else cells

    def dynamic_feat_size(self, size: Tuple[int, int]) -> Tuple[int, int]:
        """Height and width in cells of what the model is given, which are cells."""
        return size


def find_layout(output: Tensor, pixels: Tuple[int, int]) -> Tuple[str, Tuple[int, int]]:
    """Find how a stem lays out what it returns.

    Args:
        output (Tensor): What it returned, without a size.
        pixels (tuple[int, int]): Height and width of what it was given.

    Returns:
        tuple[str, tuple[int, int]]: The layout, and the pixels of a cell by height and width.

    Raises:
        ValueError: If cells are no whole number of pixels, or it cannot be told.
    """
    height, width = pixels
    if output.dim() == 3:
        # Patches are squares.
        side = round((height * width / output.size(1))**0.5)
        found = {SEQUENCE: (side, side)} if output.size(1) * side * side == height * width else {}
    elif output.dim() == 4:
        sizes = {MAP: tuple(output.shape[2:]), CHANNELS_LAST: tuple(output.shape[1:3])}
        found = {
            layout: (height // rows, width // columns)
            for layout, (rows, columns) in sizes.items()
            if height % rows == 0 and width % columns == 0 and height * columns == width * rows
        }
    else:
        found = {}
    if len(found) != 1:
        raise ValueError(f'its stem makes {tuple(output.shape)} of {height} x {width} pixels, which is no grid of '
                         f'whole cells')
    return next(iter(found.items()))
