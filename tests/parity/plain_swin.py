"""The image side of LAVT: Swin's stages (Liu et al., ICCV 2021) in the detection style, plainly.

Functions of a state in the published layout. A map is ``(P, h, w, C)`` here. Windows are cut by index arithmetic, with
no cyclic shift of a tensor, and relative positions are computed, so the stored index is read by nothing.
"""

import math
from typing import Dict, Tuple

import torch
from torch import Tensor

from tests.models.plain_risclip import gelu
from tests.models.plain_shared import linear, part
from tests.parity.plain_detris_towers import layer_norm

State = Dict[str, Tensor]

#: Side of a patch in pixels.
PATCH = 4


def padded(x: Tensor, multiple: int) -> Tensor:
    """Zeros below and to the right of a map, until both sides are multiples."""
    rows, height, width, channels = x.shape
    tall, wide = (math.ceil(length / multiple) * multiple for length in (height, width))
    result = x.new_zeros(rows, tall, wide, channels)
    result[:, :height, :width] = x
    return result


def embed(state: State, pixels: Tensor) -> Tensor:
    """Patches of pixels ``(P, 3, H, W)``, whose sides are multiples of 4, through the map and its norm."""
    kernel = state['proj.weight'].flatten(1)
    patches = pixels.unflatten(3, (-1, PATCH)).unflatten(2, (-1, PATCH)).permute(0, 2, 4, 1, 3, 5).flatten(3)
    return layer_norm(part(state, 'norm'), patches @ kernel.T + state['proj.bias'])


def source(place: int, shift: int, length: int) -> int:
    """Where in the padded map a place of the shifted map comes from: it moves up (or left), and around the edge."""
    return (place + shift) % length


def window_cells(height: int, width: int, window: int, shift: int) -> Tuple[Tensor, Tensor]:
    """Which cells of a padded map are in a window together, and which of them may see one another.

    Args:
        height (int): Rows of the padded map, a multiple of the window.
        width (int): Columns of it, likewise.
        window (int): Side of a window, in cells.
        shift (int): Cells by which the map moves up and to the left.

    Returns:
        tuple[Tensor, Tensor]: ``(windows, window * window)`` int64, numbers of cells row by row; ``(windows,
        window * window, window * window)`` bool, true where a cell must not see another. Cells that came around the
        lower edge see none that did not, and the other way round; so do those that came around the right edge.
    """
    cells, regions = [], []
    for top in range(0, height, window):
        for left in range(0, width, window):
            places = [(source(top + y, shift, height), source(left + x, shift, width))
                      for y in range(window) for x in range(window)]
            cells.append([y * width + x for y, x in places])
            regions.append([2 * (y < shift) + (x < shift) for y, x in places])
    region = torch.tensor(regions)
    return torch.tensor(cells), region[:, :, None] != region[:, None, :]


def relative_rows(window: int) -> Tensor:
    """``(window * window, window * window)`` int64: the row of the table for a query's and a key's place."""
    side, places = 2 * window - 1, [(y, x) for y in range(window) for x in range(window)]
    return torch.tensor([[(y - other_y + window - 1) * side + x - other_x + window - 1 for other_y, other_x in places]
                         for y, x in places])


def window_attention(state: State, x: Tensor, heads: int, window: int, shift: int) -> Tensor:
    """Attention in the windows of a map that is normed already. Windows see padding, which is not masked.

    Args:
        state (dict): Of a block's ``attn``.
        x (Tensor): ``(P, h, w, C)``.
        heads (int): Attention heads.
        window (int): Side of a window, in cells.
        shift (int): Of the map, in cells; 0 for none.
    """
    rows, height, width, channels = x.shape
    full = padded(x, window)
    tall, wide = full.shape[1:3]
    cells, forbidden = window_cells(tall, wide, window, shift)
    table = state['relative_position_bias_table'][relative_rows(window)]
    tokens = full.flatten(1, 2)[:, cells]
    query, key, value = linear(part(state, 'qkv'), tokens).split(channels, dim=-1)
    taken = []
    for head in range(heads):
        own = slice(head * channels // heads, (head + 1) * channels // heads)
        scores = query[..., own] @ key[..., own].transpose(-1, -2) / math.sqrt(channels / heads) + table[..., head]
        taken.append(torch.softmax(scores.masked_fill(forbidden, -math.inf), dim=-1) @ value[..., own])
    result = linear(part(state, 'proj'), torch.cat(taken, dim=-1))
    # Every cell is in one window; it goes back to where it came from.
    order = cells.flatten().argsort()
    return result.flatten(1, 2)[:, order].unflatten(1, (tall, wide))[:, :height, :width]


def block(state: State, x: Tensor, heads: int, window: int, shift: int) -> Tensor:
    """Attention in windows, then the MLP, each after its norm and beside a shortcut."""
    x = x + window_attention(part(state, 'attn'), layer_norm(part(state, 'norm1'), x), heads, window, shift)
    hidden = gelu(linear(part(state, 'mlp.fc1'), layer_norm(part(state, 'norm2'), x)))
    return x + linear(part(state, 'mlp.fc2'), hidden)


def blocks(state: State, x: Tensor, depth: int, heads: int, window: int) -> Tensor:
    """All blocks of a stage, of the state ``backbone.layers.{i}``. Every second one shifts by half a window."""
    for index in range(depth):
        x = block(part(state, f'blocks.{index}'), x, heads, window, shift=window // 2 if index % 2 else 0)
    return x


def merge(state: State, x: Tensor) -> Tensor:
    """Four neighbours to one cell, ``(P, h, w, C)`` to ``(P, h / 2, w / 2, 2 * C)``, rounded up: zeros at the edge."""
    x = padded(x, 2)
    four = torch.cat((x[:, 0::2, 0::2], x[:, 1::2, 0::2], x[:, 0::2, 1::2], x[:, 1::2, 1::2]), dim=3)
    return linear(part(state, 'reduction'), layer_norm(part(state, 'norm'), four))
