"""CRIS (Wang et al., CVPR 2022), plainly: what the project's stages, encoder and key map are compared with.

Written from the method's numbers, one operation at a time, with nothing of the project in it. Parameters have the names
of the released checkpoints, without their prefix ``module.``. Every row is one image with one expression, as in the
published training. Two things are as the method means them, not as the published code does them: padding is told by an
explicit mask, since token 0 is a word of CLIP's, and there is no dropout. Neck, decoder and head also take what CRIS
gets from other encoders: stages of one grid, as a ViT's, and words of another width than the decoder's.
"""

import math
from typing import NamedTuple, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.parity.plain_clip import PlainAttention, PlainCLIP, PlainResNet, convolution


class Trace(NamedTuple):
    """The result, and everything on the way to it. P expressions, L tokens."""

    #: C3, C4 and C5, each ``(P, C_i, h_i, w_i)``.
    stages: Tuple[Tensor, Tensor, Tensor]
    #: Word features ``(P, L, C)``, after the last LayerNorm and not projected.
    words: Tensor
    #: Sentence features ``(P, D)``.
    sentence: Tensor
    #: What the neck gives, ``(P, C, h, w)``, on C4's grid.
    fused: Tensor
    #: What the decoder gives, alike.
    decoded: Tensor
    #: ``(P, 1, 4 * h, 4 * w)``.
    logits: Tensor


class PlainCRIS(nn.Module):
    """The whole model; the defaults are CRIS with CLIP RN50.

    Args:
        blocks (tuple): Blocks of the ResNet's four layers.
        width (int): Channels of the ResNet's stem; C5 has 32 times as many before the attention pool.
        joint (int): Width of the joint space: C5 after the attention pool, and the sentence.
        pool_heads (int): Attention heads of the pool.
        pool_grid (int): Side of the grid that the pool's position embedding is for.
        vocabulary (int): Token ids.
        context (int): Positions of the text tower; shorter texts use the first of them.
        text_layers (int): Blocks of the text tower.
        text_heads (int): Its attention heads.
        out (tuple): The neck's channels, shallow to deep. The second is also the width of words and of the decoder.
        decoder_layers (int): Layers of the decoder.
        decoder_heads (int): Its attention heads.
        feedforward (int): Width of its feed-forward networks.
    """

    def __init__(self,
                 *,
                 blocks: Tuple[int, ...] = (3, 4, 6, 3),
                 width: int = 64,
                 joint: int = 1024,
                 pool_heads: int = 32,
                 pool_grid: int = 7,
                 vocabulary: int = 49408,
                 context: int = 77,
                 text_layers: int = 12,
                 text_heads: int = 8,
                 out: Tuple[int, int, int] = (256, 512, 1024),
                 decoder_layers: int = 3,
                 decoder_heads: int = 8,
                 feedforward: int = 2048) -> None:
        super().__init__()
        self.backbone = PlainCLIP(
            PlainResNet(blocks, width, joint, pool_heads, pool_grid), vocabulary, context, out[1], text_layers,
            text_heads, joint)
        self.neck = PlainNeck((8 * width, 16 * width, joint), joint, out)
        self.decoder = PlainDecoder(decoder_layers, out[1], out[1], decoder_heads, feedforward)
        self.proj = PlainHead(out[1], joint)

    def forward(self, pixels: Tensor, token_ids: Tensor, token_mask: Tensor) -> Trace:
        """Segment.

        Args:
            pixels (Tensor): Normalised pixels ``(P, 3, H, W)``, one row an expression.
            token_ids (Tensor): ``(P, L)``; [EOS] has the highest id.
            token_mask (Tensor): ``(P, L)``, true on real tokens.
        """
        stages = self.backbone.visual(pixels)
        words, sentence = self.backbone.encode_text(token_ids)
        fused = self.neck(stages, sentence)
        decoded = self.decoder(fused, words, token_mask)
        return Trace(stages, words, sentence, fused, decoded, self.proj(decoded, sentence))


class NormedConvolution(nn.Sequential):
    """Convolution, BatchNorm, ReLU."""

    def __init__(self, inputs: int, outputs: int, size: int) -> None:
        super().__init__(convolution(inputs, outputs, size), nn.BatchNorm2d(outputs), nn.ReLU())


class PlainNeck(nn.Module):
    """Three stages and a sentence to one map on the grid of the second stage."""

    def __init__(self, inputs: Tuple[int, int, int], sentence: int, out: Tuple[int, int, int]) -> None:
        super().__init__()
        shallow, middle, deep = out
        self.txt_proj = nn.Sequential(nn.Linear(sentence, deep, bias=False), nn.BatchNorm1d(deep), nn.ReLU())
        self.f1_v_proj = NormedConvolution(inputs[2], deep, 1)
        self.norm_layer = nn.Sequential(nn.BatchNorm2d(deep), nn.ReLU())
        self.f2_v_proj = NormedConvolution(inputs[1], middle, 3)
        self.f2_cat = NormedConvolution(middle + deep, middle, 1)
        self.f3_v_proj = NormedConvolution(inputs[0], shallow, 3)
        self.f3_cat = NormedConvolution(shallow + middle, middle, 1)
        self.f4_proj3 = NormedConvolution(middle, middle, 3)
        self.f4_proj4 = NormedConvolution(middle, middle, 3)
        self.f4_proj5 = NormedConvolution(deep, middle, 3)
        self.aggr = NormedConvolution(3 * middle, middle, 1)
        self.coordconv = nn.Sequential(
            nn.ModuleDict(dict(conv1=NormedConvolution(middle + 2, middle, 3))), NormedConvolution(middle, middle, 3))

    def forward(self, stages: Tuple[Tensor, Tensor, Tensor], sentence: Tensor) -> Tensor:
        c3, c4, c5 = stages
        f5 = self.norm_layer(self.f1_v_proj(c5) * self.txt_proj(sentence)[:, :, None, None])
        # Nothing where the grids are one already.
        down, up = c3.size(2) // c4.size(2), c4.size(2) // c5.size(2)
        f4 = self.f2_cat(torch.cat([self.f2_v_proj(c4), enlarged(f5, up)], 1))
        f3 = self.f3_cat(torch.cat([F.avg_pool2d(self.f3_v_proj(c3), down), f4], 1))
        fused = self.aggr(torch.cat([self.f4_proj3(f3), self.f4_proj4(f4), enlarged(self.f4_proj5(f5), up)], 1))
        rows, _, height, width = fused.shape
        x = torch.linspace(-1, 1, width).expand(rows, 1, height, width)
        y = torch.linspace(-1, 1, height)[:, None].expand(rows, 1, height, width)
        return self.coordconv[1](self.coordconv[0]['conv1'](torch.cat([fused, x, y], 1)))


def enlarged(x: Tensor, times: int) -> Tensor:
    return F.interpolate(x, scale_factor=times, mode='bilinear', align_corners=False)


def sine_positions(count: int, channels: int) -> Tensor:
    """``(count, channels)``: sine and cosine in turns, of falling frequency."""
    table = torch.zeros(count, channels)
    for place in range(count):
        for channel in range(0, channels, 2):
            angle = place / 10000**(channel / channels)
            table[place, channel], table[place, channel + 1] = math.sin(angle), math.cos(angle)
    return table


def grid_positions(height: int, width: int, channels: int) -> Tensor:
    """``(height * width, channels)``: the column's position, then the row's."""
    columns, rows = sine_positions(width, channels // 2), sine_positions(height, channels // 2)
    return torch.stack([torch.cat([columns[x], rows[y]]) for y in range(height) for x in range(width)])


class PlainDecoderLayer(nn.Module):

    def __init__(self, width: int, words: int, heads: int, feedforward: int) -> None:
        super().__init__()
        self.self_attn, self.multihead_attn = PlainAttention(width, heads), PlainAttention(width, heads, words)
        self.self_attn_norm, self.cross_attn_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))
        # The numbers are those of the published sequence, in which 1 and 2 are ReLU and dropout.
        self.ffn = nn.ModuleDict({
            '0': nn.Linear(width, feedforward),
            '3': nn.LayerNorm(feedforward),
            '4': nn.Linear(feedforward, width)
        })

    def forward(self, pixels: Tensor, words: Tensor, pixel_position: Tensor, word_position: Tensor,
                padding: Tensor) -> Tensor:
        y = self.norm1(pixels)
        y = self.self_attn(y + pixel_position, y + pixel_position, y)
        pixels = pixels + self.self_attn_norm(y)
        y = self.norm2(pixels)
        y = self.multihead_attn(y + pixel_position, words + word_position, words, padding)
        pixels = pixels + self.cross_attn_norm(y)
        y = torch.relu(self.ffn['0'](self.norm3(pixels)))
        return pixels + self.ffn['4'](self.ffn['3'](y))


class PlainDecoder(nn.Module):
    """Pixels ask one another, then the words."""

    def __init__(self, layers: int, width: int, words: int, heads: int, feedforward: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(PlainDecoderLayer(width, words, heads, feedforward) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, fused: Tensor, words: Tensor, token_mask: Tensor) -> Tensor:
        rows, channels, height, width = fused.shape
        pixels = fused.flatten(2).transpose(1, 2)
        padding = ~token_mask[:, None, :].expand(rows, height * width, -1)
        for layer in self.layers:
            pixels = layer(pixels, words, grid_positions(height, width, channels), sine_positions(*words.shape[1:]),
                           padding)
        return self.norm(pixels).transpose(1, 2).reshape(rows, channels, height, width)


class PlainHead(nn.Module):
    """Each sentence gives a kernel and a bias for its own pixels."""

    def __init__(self, channels: int, sentence: int) -> None:
        super().__init__()
        half = channels // 2
        # The numbers are those of the published sequence, in which 0 and 2 double the size.
        self.vis = nn.ModuleDict({
            '1': NormedConvolution(channels, channels, 3),
            '3': NormedConvolution(channels, half, 3),
            '4': nn.Conv2d(half, half, 1)
        })
        self.txt = nn.Linear(sentence, 9 * half + 1)

    def forward(self, decoded: Tensor, sentence: Tensor) -> Tensor:
        x = self.vis['1'](enlarged(decoded, 2))
        x = self.vis['4'](self.vis['3'](enlarged(x, 2)))
        logits = []
        for pixels, numbers in zip(x, self.txt(sentence)):
            kernel = numbers[:-1].reshape(1, -1, 3, 3)
            logits.append(F.conv2d(pixels[None], kernel, numbers[-1:], padding=1))
        return torch.cat(logits)
