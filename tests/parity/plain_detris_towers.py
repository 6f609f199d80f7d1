"""DETRIS's towers and adapters (Huang et al., AAAI 2025), plainly; ``plain_detris.py`` says what holds for them."""

import math
from typing import Dict, List, Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

from tests.models.plain_risclip import depth, gelu, quick_gelu
from tests.models.plain_shared import linear, part
from tests.parity.plain_clip import attend

State = Dict[str, Tensor]

#: Share of an adapter's result beside the MLP.
ADAPTER_SCALE = 0.2


def layer_norm(state: State, tokens: Tensor, epsilon: float = 1e-5) -> Tensor:
    """Over the last dimension. CLIP's and the decoder's epsilon is 1e-5, DINOv2's 1e-6."""
    centred = tokens - tokens.mean(dim=-1, keepdim=True)
    return centred / (centred.square().mean(dim=-1, keepdim=True) + epsilon).sqrt() * state['weight'] + state['bias']


def batch_norm(state: State, x: Tensor, training: bool, epsilon: float) -> Tensor:
    """Of ``(P, C, ...)``: by running statistics, or in training by those of all rows and places."""
    shape = (1, -1) + (1, ) * (x.dim() - 2)
    mean, variance = state['running_mean'], state['running_var']
    if training:
        rest = [0, *range(2, x.dim())]
        mean = x.mean(dim=rest)
        variance = (x - mean.reshape(shape)).square().mean(dim=rest)
    normed = (x - mean.reshape(shape)) / (variance.reshape(shape) + epsilon).sqrt()
    return normed * state['weight'].reshape(shape) + state['bias'].reshape(shape)


def convolution(state: State, x: Tensor) -> Tensor:
    """Of a sequence ``(P, C, L)`` or a map ``(P, C, h, w)``, by the kernel's shape; the size stays."""
    weight = state['weight']
    function = F.conv1d if weight.dim() == 3 else F.conv2d
    return function(x, weight, state.get('bias'), padding=weight.size(-1) // 2)


def dense_branch(state: State, x: Tensor, training: bool) -> Tensor:
    """Convolution with bias, BatchNorm, ReLU."""
    x = convolution(part(state, 'conv'), x)
    return batch_norm(part(state, 'bn'), x, training, epsilon=1e-3).clamp(min=0)


def dense_block(state: State, x: Tensor, training: bool) -> Tensor:
    """Both adapters' convolutions: ``(P, a, ...)`` to the same shape, of an adapter's state."""
    first = dense_branch(part(state, 'dense_branch1'), x, training)
    second = dense_branch(part(state, 'dense_branch2.0'), torch.cat((x, first), dim=1), training)
    second = dense_branch(part(state, 'dense_branch2.1'), second, training)
    third = dense_branch(part(state, 'dense_branch3.0'), torch.cat((x, first, second), dim=1), training)
    third = dense_branch(part(state, 'dense_branch3.1'), third, training)
    return torch.cat((first, second, third), dim=1)


def multihead(state: State, query: Tensor, key: Tensor, value: Tensor, heads: int,
              forbidden: Optional[Tensor] = None) -> Tensor:
    """Attention of rows ``(P, n, C)`` with PyTorch's names; ``forbidden (P, n, m)`` gets no weight."""
    mapped = [
        rows @ weight.T + bias for rows, weight, bias in zip(
            (query, key, value), state['in_proj_weight'].chunk(3), state['in_proj_bias'].chunk(3))
    ]
    return linear(part(state, 'out_proj'), attend(*mapped, heads, forbidden))


def text_adapter(state: State, tokens: Tensor, training: bool) -> Tensor:
    """``(P, L, C)`` to the same shape; all but the start token go through the convolutions, padding with them."""
    hidden = linear(part(state, 'D_fc1'), tokens).clamp(min=0)
    later = dense_block(state, hidden[:, 1:].transpose(1, 2), training).transpose(1, 2)
    return linear(part(state, 'D_fc2'), torch.cat((hidden[:, :1], later), dim=1) + hidden)


def text_block(state: State, tokens: Tensor, heads: int, training: bool) -> Tensor:
    """A block of CLIP's text tower, with the adapter where the state has one."""
    rows, length, _ = tokens.shape
    future = (torch.ones(length, length).triu(1) > 0).expand(rows, -1, -1)
    normed = layer_norm(part(state, 'ln_1'), tokens)
    tokens = tokens + multihead(part(state, 'attn'), normed, normed, normed, heads, future)
    hidden = quick_gelu(linear(part(state, 'mlp.c_fc'), layer_norm(part(state, 'ln_2'), tokens)))
    result = tokens + linear(part(state, 'mlp.c_proj'), hidden)
    adapter = part(state, 'adapter')
    return result + ADAPTER_SCALE * text_adapter(adapter, tokens, training) if adapter else result


def text(state: State, token_ids: Tensor, heads: int, training: bool = False) -> Tuple[Tensor, Tensor]:
    """Words ``(P, L, C)`` and sentences ``(P, D)`` of ``token_ids (P, L)``, in which [EOS] has the highest id."""
    state = part(state, 'txt_backbone')
    tokens = state['token_embedding.weight'][token_ids] + state['positional_embedding'][:token_ids.size(1)]
    for index in range(depth(state, 'transformer.resblocks')):
        tokens = text_block(part(state, f'transformer.resblocks.{index}'), tokens, heads, training)
    words = layer_norm(part(state, 'ln_final'), tokens)
    ends = torch.stack([row[ids.argmax()] for row, ids in zip(words, token_ids)])
    return words, ends @ state['text_projection']


def cubic(distance: float) -> float:
    """Keys' kernel with a = -0.75, PyTorch's."""
    x = abs(distance)
    if x <= 1:
        return 1.25 * x**3 - 2.25 * x**2 + 1
    return -0.75 * (x**3 - 5 * x**2 + 8 * x - 4) if x < 2 else 0.0


def resampling(learned: int, wanted: int) -> Tensor:
    """``(wanted, learned)``: bicubic, not antialiased, by the scale of DINOv2's code, a tenth of a cell too much."""
    matrix = torch.zeros(wanted, learned, dtype=torch.float64)
    for place in range(wanted):
        centre = (place + 0.5) * learned / (wanted + 0.1) - 0.5
        for tap in range(math.floor(centre) - 1, math.floor(centre) + 3):
            matrix[place, min(max(tap, 0), learned - 1)] += cubic(centre - tap)
    return matrix


def grid_positions(learned: Tensor, height: int, width: int) -> Tensor:
    """Positions ``(1, side * side, C)`` for a grid, ``(h * w, C)``; on their own grid they stay as they are."""
    side = math.isqrt(learned.size(1))
    if side == height == width:
        return learned[0]
    rows, columns = resampling(side, height).to(learned), resampling(side, width).to(learned)
    return torch.einsum('hy,wx,yxc->hwc', rows, columns, learned[0].unflatten(0, (side, side))).flatten(0, 1)


def image_tokens(state: State, pixels: Tensor) -> Tensor:
    """``[class token, registers, patches]`` of pixels ``(P, 3, H, W)``; registers have no position."""
    kernel, bias = state['patch_embed.proj.weight'], state['patch_embed.proj.bias']
    size = kernel.size(-1)
    height, width = pixels.size(2) // size, pixels.size(3) // size
    positions = grid_positions(state['pos_embed'][:, 1:], height, width)
    rows = []
    for image in pixels:
        patches = []
        for y in range(0, height * size, size):
            for x in range(0, width * size, size):
                patches.append((kernel * image[:, y:y + size, x:x + size]).sum(dim=(1, 2, 3)) + bias)
        first = state['cls_token'][0] + state['pos_embed'][0, :1]
        rows.append(torch.cat((first, state['register_tokens'][0], torch.stack(patches) + positions)))
    return torch.stack(rows)


def as_map(patches: Tensor, grid: Tuple[int, int]) -> Tensor:
    """``(P, h * w, C)`` to ``(P, C, h, w)``."""
    return patches.transpose(1, 2).unflatten(2, grid)


def image_adapter(state: State, tokens: Tensor, words: Tensor, grid: Tuple[int, int], heads: int,
                  training: bool) -> Tensor:
    """The dense aligner, ``(P, 1 + registers + h * w, C)`` to the same shape; padding is among the words."""
    hidden = linear(part(state, 'D_fc1'), tokens).clamp(min=0)
    ahead = hidden.size(1) - grid[0] * grid[1]
    maps = as_map(hidden[:, ahead:], grid)
    maps = dense_block(state, maps, training) + maps
    cross = part(state, 'cross')
    query = linear(part(cross, 'image_proj'), maps.flatten(2).transpose(1, 2))
    key = linear(part(cross, 'text_proj'), words)
    patches = linear(part(cross, 'back_proj'), multihead(part(cross, 'multihead_attn'), query, key, key, heads))
    return linear(part(state, 'D_fc2'), torch.cat((hidden[:, :ahead], patches), dim=1) + hidden)


def image_block(state: State, tokens: Tensor, words: Tensor, grid: Tuple[int, int], heads: int, cross_heads: int,
                training: bool) -> Tensor:
    """A block of DINOv2, with the adapter where the state has one."""
    attention = {
        'in_proj_weight': state['attn.qkv.weight'],
        'in_proj_bias': state['attn.qkv.bias'],
        'out_proj.weight': state['attn.proj.weight'],
        'out_proj.bias': state['attn.proj.bias'],
    }
    normed = layer_norm(part(state, 'norm1'), tokens, 1e-6)
    tokens = tokens + state['ls1.gamma'] * multihead(attention, normed, normed, normed, heads)
    normed = layer_norm(part(state, 'norm2'), tokens, 1e-6)
    result = linear(part(state, 'mlp.fc2'), gelu(linear(part(state, 'mlp.fc1'), normed)))
    adapter = part(state, 'adapter')
    if adapter:
        result = result + ADAPTER_SCALE * image_adapter(adapter, normed, words, grid, cross_heads, training)
    return tokens + state['ls2.gamma'] * result


def image_stages(state: State, pixels: Tensor, words: Tensor, heads: int, taps: Sequence[int], cross_heads: int,
                 training: bool = False) -> List[Tensor]:
    """Patches after the blocks ``taps`` as maps ``(P, C, h, w)``, the last tap through the final norm.

    Args:
        state (dict): The whole model's.
        pixels (Tensor): Normalised pixels ``(P, 3, H, W)``.
        words (Tensor): ``(P, L, C)``, of :func:`text`.
        heads (int): Of the blocks' attention.
        taps (Sequence[int]): Blocks in rising order, counted from 1.
        cross_heads (int): Of the adapters' attention to the words.
        training (bool): Whether BatchNorm takes its statistics from these rows.
    """
    state = part(state, 'dinov2')
    tokens = image_tokens(state, pixels)
    grid = tuple(length // state['patch_embed.proj.weight'].size(-1) for length in pixels.shape[2:])
    ahead, stages = tokens.size(1) - grid[0] * grid[1], []
    for index in range(depth(state, 'blocks')):
        tokens = image_block(part(state, f'blocks.{index}'), tokens, words, grid, heads, cross_heads, training)
        if index + 1 in taps:
            last = index + 1 == taps[-1]
            stage = layer_norm(part(state, 'norm'), tokens, 1e-6) if last else tokens
            stages.append(as_map(stage[:, ahead:], grid))
    return stages
