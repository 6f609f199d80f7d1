"""DETRIS (Huang et al., AAAI 2025), plainly: what the project's towers, stages and key map are compared with.

Functions of a state in the published layout, without the prefix ``module.``. The state's tensors say all sizes except
the numbers of heads and the taps. Written from the method's numbers, one operation at a time and attention head by
head, with nothing of the project in it. Every row is one image with one expression, as in the published training.
With ``training=True``, BatchNorm takes its statistics from the given rows; running statistics never change. No mode
has dropout. P expressions, L tokens, C channels. Blocks and taps are counted from 1.
"""

import math
from typing import Dict, List, NamedTuple, Optional, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from tests.models.plain_risclip import depth
from tests.models.plain_shared import linear, part
from tests.parity.plain_cris import enlarged
from tests.parity.plain_detris_towers import batch_norm, convolution, image_stages, layer_norm, multihead, text

State = Dict[str, Tensor]


class Heads(NamedTuple):
    """Numbers of attention heads. The defaults are those of the base model."""

    image: int = 12
    text: int = 8
    #: Of the image adapters' attention to the words.
    cross: int = 8
    decoder: int = 8


class Trace(NamedTuple):
    """The result, and everything on the way to it."""

    #: ``(P, L, C)``, after ``ln_final`` and not projected.
    words: Tensor
    #: ``(P, D)``.
    sentence: Tensor
    #: One map ``(P, C, h, w)`` per tap.
    stages: List[Tensor]
    #: What the neck gives, ``(P, C, h, w)``.
    fused: Tensor
    #: What the decoder gives, same shape.
    decoded: Tensor
    #: ``(P, 1, 4 * h, 4 * w)``.
    logits: Tensor


def normed_convolution(state: State, x: Tensor, training: bool) -> Tensor:
    """Convolution, BatchNorm, ReLU, by their places in a sequence."""
    return batch_norm(part(state, '1'), convolution(part(state, '0'), x), training, epsilon=1e-5).clamp(min=0)


def sentence_attention(state: State, sentence: Tensor) -> Tensor:
    """Attention to one key alone: its softmax is 1, so every query gets the value ``(P, C)``, mapped."""
    width = sentence.size(-1)
    value = sentence @ state['in_proj_weight'][2 * width:].T + state['in_proj_bias'][2 * width:]
    return linear(part(state, 'out_proj'), value)


def neck(state: State, stages: Sequence[Tensor], sentence: Tensor, training: bool = False) -> Tensor:
    """Three stages ``(P, C_i, h, w)`` of one grid and sentences ``(P, D)`` to one map ``(P, C, h, w)``."""
    state = part(state, 'neck')
    key = linear(part(state, 'txt_proj'), sentence)
    maps = []
    for number, stage in zip((3, 4, 5), stages):
        own = part(state, f'f{number}_proj')
        if number == 5:
            # A transposed 1x1 convolution is a convolution whose weight is stored the other way round.
            own = {**own, '0.weight': own['0.weight'].transpose(0, 1)}
        factor = sentence_attention(part(state, f'fusion{number}.multihead_attn'), key)
        maps.append(normed_convolution(own, stage, training) * factor[:, :, None, None])
    fused = normed_convolution(part(state, 'aggr'), torch.cat(maps, dim=1), training)
    rows, _, height, width = fused.shape
    x = torch.linspace(-1, 1, width, dtype=fused.dtype).expand(rows, 1, height, width)
    y = torch.linspace(-1, 1, height, dtype=fused.dtype)[:, None].expand(rows, 1, height, width)
    located = normed_convolution(part(state, 'coordconv.0.conv1'), torch.cat((fused, x, y), dim=1), training)
    return normed_convolution(part(state, 'coordconv.1'), located, training) + fused


def sine_positions(count: int, channels: int) -> Tensor:
    """``(count, channels)`` float64: sine and cosine in turns, of falling frequency."""
    rows = []
    for place in range(count):
        angles = [place / 10000**(channel / channels) for channel in range(0, channels, 2)]
        rows.append([function(angle) for angle in angles for function in (math.sin, math.cos)])
    return torch.tensor(rows, dtype=torch.float64)


def pixel_positions(height: int, width: int, channels: int) -> Tensor:
    """``(height * width, channels)``: the column's position, then the row's."""
    columns, rows = sine_positions(width, channels // 2), sine_positions(height, channels // 2)
    return torch.stack([torch.cat((column, row)) for row in rows for column in columns])


def decode(state: State, fused: Tensor, words: Tensor, pad_mask: Tensor, heads: int) -> Tensor:
    """Pixels ask one another, then the words.

    Args:
        state (dict): The whole model's.
        fused (Tensor): ``(P, C, h, w)``, of :func:`neck`.
        words (Tensor): ``(P, L, C)``, of :func:`text`.
        pad_mask (Tensor): ``(P, L)`` bool, true on tokens that get no weight.
        heads (int): Attention heads.
    """
    state = part(state, 'decoder')
    channels, height, width = fused.shape[1:]
    places = pixel_positions(height, width, channels).to(fused)
    keys = words + sine_positions(words.size(1), words.size(2)).to(words)
    forbidden = pad_mask[:, None, :].expand(-1, height * width, -1)
    pixels = fused.flatten(2).transpose(1, 2)
    for index in range(depth(state, 'layers')):
        layer = part(state, f'layers.{index}')
        normed = layer_norm(part(layer, 'norm1'), pixels)
        taken = multihead(part(layer, 'self_attn'), normed + places, normed + places, normed, heads)
        pixels = pixels + layer_norm(part(layer, 'self_attn_norm'), taken)
        query = layer_norm(part(layer, 'norm2'), pixels) + places
        taken = multihead(part(layer, 'multihead_attn'), query, keys, words, heads, forbidden)
        pixels = pixels + layer_norm(part(layer, 'cross_attn_norm'), taken)
        hidden = linear(part(layer, 'ffn.0'), layer_norm(part(layer, 'norm3'), pixels)).clamp(min=0)
        pixels = pixels + linear(part(layer, 'ffn.4'), layer_norm(part(layer, 'ffn.3'), hidden))
    return layer_norm(part(state, 'norm'), pixels).transpose(1, 2).unflatten(2, (height, width))


def logits(state: State, decoded: Tensor, sentence: Tensor, training: bool = False) -> Tensor:
    """The head: ``(P, C, h, w)`` and sentences ``(P, D)`` to ``(P, 1, 4 * h, 4 * w)``, by a kernel of each sentence."""
    state = part(state, 'proj')
    x = normed_convolution(part(state, 'vis.1'), enlarged(decoded, 2), training)
    x = normed_convolution(part(state, 'vis.3'), enlarged(x, 2), training)
    x = convolution(part(state, 'vis.4'), x)
    rows = []
    for pixels, numbers in zip(x, linear(part(state, 'txt'), sentence)):
        rows.append(F.conv2d(pixels[None], numbers[:-1].reshape(1, -1, 3, 3), numbers[-1:], padding=1))
    return torch.cat(rows)


def trace(state: State, pixels: Tensor, token_ids: Tensor, *, heads: Heads, taps: Sequence[int],
          pad_mask: Optional[Tensor] = None, training: bool = False) -> Trace:
    """The whole model, with everything on the way.

    Args:
        state (dict): In the published layout, without ``module.``.
        pixels (Tensor): Normalised pixels ``(P, 3, H, W)``, one row per expression.
        token_ids (Tensor): ``(P, L)`` int64; [EOS] has the highest id, padding is 0.
        heads (Heads): Numbers of attention heads.
        taps (Sequence[int]): The three image blocks whose patches are stages, counted from 1.
        pad_mask (Tensor, optional): ``(P, L)`` bool, true on padding. Default: where the id is 0, as in the published
            code, which takes the word "!" for padding. Only the decoder reads it.
        training (bool): Whether BatchNorm takes its statistics from these rows. Default: False.
    """
    if pad_mask is None:
        pad_mask = token_ids == 0
    words, sentence = text(state, token_ids, heads.text, training)
    stages = image_stages(state, pixels, words, heads.image, taps, heads.cross, training)
    fused = neck(state, stages, sentence, training)
    decoded = decode(state, fused, words, pad_mask, heads.decoder)
    return Trace(words, sentence, stages, fused, decoded, logits(state, decoded, sentence, training))


def detris(state: State, pixels: Tensor, token_ids: Tensor, *, heads: Heads, taps: Sequence[int],
           pad_mask: Optional[Tensor] = None, training: bool = False) -> Tensor:
    """Logits ``(P, 1, 4 * h, 4 * w)``, by the arguments of :func:`trace`."""
    return trace(state, pixels, token_ids, heads=heads, taps=taps, pad_mask=pad_mask, training=training).logits


def training_loss(predicted: Tensor, masks: Tensor) -> Tensor:
    """Mean binary cross entropy of logits ``(P, 1, h, w)`` and masks ``(P, H, W)`` of 0 and 1, by nearest neighbour."""
    rows, columns = ([place * full // size for place in range(size)]
                     for full, size in zip(masks.shape[1:], predicted.shape[2:]))
    wanted = masks[:, rows][:, :, columns][:, None].to(predicted)
    return (torch.log1p(torch.exp(-predicted.abs())) + predicted.clamp(min=0) - predicted * wanted).mean()
