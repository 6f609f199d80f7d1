"""CLIP's towers with a ResNet as CRIS uses them (Radford et al., ICML 2021; Wang et al., CVPR 2022), plainly.

Parameters have the names of the released checkpoints of both.
"""

import math
from typing import Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def convolution(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, size, stride=stride, padding=size // 2, bias=False)


def attend(query: Tensor, key: Tensor, value: Tensor, heads: int, forbidden: Optional[Tensor] = None) -> Tensor:
    """Scaled dot-product attention of rows ``(P, n, C)``, head by head; ``forbidden (P, n, m)`` gets no weight."""
    results = []
    for q, k, v in zip(query.chunk(heads, -1), key.chunk(heads, -1), value.chunk(heads, -1)):
        scores = q @ k.transpose(1, 2) / math.sqrt(q.size(-1))
        if forbidden is not None:
            scores = scores.masked_fill(forbidden, -math.inf)
        results.append(torch.softmax(scores, -1) @ v)
    return torch.cat(results, -1)


class PlainAttention(nn.Module):
    """Multi-head attention; keys and values of another width have input maps of their own.

    Args:
        width (int): Of queries and results.
        heads (int): Heads.
        other (int, optional): Width of keys and values. Defaults to None: that of the queries.
    """

    def __init__(self, width: int, heads: int, other: Optional[int] = None) -> None:
        super().__init__()
        self.heads = heads
        if other in (None, width):
            self.in_proj_weight = nn.Parameter(torch.randn(3 * width, width) * width**-0.5)
        else:
            self.q_proj_weight = nn.Parameter(torch.randn(width, width) * width**-0.5)
            self.k_proj_weight = nn.Parameter(torch.randn(width, other) * other**-0.5)
            self.v_proj_weight = nn.Parameter(torch.randn(width, other) * other**-0.5)
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)

    def forward(self, query: Tensor, key: Tensor, value: Tensor, forbidden: Optional[Tensor] = None) -> Tensor:
        if hasattr(self, 'in_proj_weight'):
            weights = self.in_proj_weight.chunk(3)
        else:
            weights = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
        mapped = [
            F.linear(rows, weight, bias)
            for rows, weight, bias in zip((query, key, value), weights, self.in_proj_bias.chunk(3))
        ]
        return self.out_proj(attend(*mapped, self.heads, forbidden))


class PlainBlock(nn.Module):
    """A bottleneck of CLIP's ResNets: where it strides, it averages."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = 4 * width
        self.stride = stride
        self.conv1, self.bn1 = convolution(inputs, width, 1), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = convolution(width, width, 3), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = convolution(width, outputs, 1), nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride > 1 or inputs != outputs:
            self.downsample = nn.Sequential(convolution(inputs, outputs, 1), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(F.avg_pool2d(y, self.stride)))
        if self.downsample is not None:
            x = self.downsample(F.avg_pool2d(x, self.stride))
        return torch.relu(x + y)


class PlainPool(nn.Module):
    """CLIP's attention pool at every pixel instead of once, beside a shortcut."""

    def __init__(self, inputs: int, outputs: int, heads: int, grid: int) -> None:
        super().__init__()
        self.heads, self.grid = heads, grid
        self.positional_embedding = nn.Parameter(torch.randn(grid**2 + 1, inputs) * inputs**-0.5)
        self.q_proj, self.k_proj, self.v_proj = (nn.Linear(inputs, inputs) for _ in range(3))
        self.c_proj = nn.Linear(inputs, outputs)
        self.connect = nn.Sequential(convolution(inputs, outputs, 1), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        # The first position is [CLS]'s.
        position = self.positional_embedding[1:].t().reshape(1, -1, self.grid, self.grid)
        position = F.interpolate(position, size=x.shape[2:], mode='bicubic', align_corners=False)
        cells = (x + position).flatten(2).transpose(1, 2)
        pooled = self.c_proj(attend(self.q_proj(cells), self.k_proj(cells), self.v_proj(cells), self.heads))
        return torch.relu(pooled.transpose(1, 2).unflatten(2, x.shape[2:]) + self.connect(x))


class PlainResNet(nn.Module):
    """Pixels to C3, C4 and C5, at strides 8, 16 and 32."""

    def __init__(self, blocks: Tuple[int, ...], width: int, joint: int, heads: int, grid: int) -> None:
        super().__init__()
        half = width // 2
        self.conv1, self.bn1 = convolution(3, half, 3, stride=2), nn.BatchNorm2d(half)
        self.conv2, self.bn2 = convolution(half, half, 3), nn.BatchNorm2d(half)
        self.conv3, self.bn3 = convolution(half, width, 3), nn.BatchNorm2d(width)
        inputs = width
        for number, count in enumerate(blocks):
            inner = width * 2**number
            layer = nn.Sequential()
            for place in range(count):
                layer.append(PlainBlock(inputs, inner, stride=2 if number > 0 and place == 0 else 1))
                inputs = 4 * inner
            setattr(self, f'layer{number + 1}', layer)
        self.attnpool = PlainPool(inputs, joint, heads, grid)

    def forward(self, pixels: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
        x = torch.relu(self.bn1(self.conv1(pixels)))
        x = torch.relu(self.bn2(self.conv2(x)))
        x = F.avg_pool2d(torch.relu(self.bn3(self.conv3(x))), 2)
        c3 = self.layer2(self.layer1(x))
        c4 = self.layer3(c3)
        return c3, c4, self.attnpool(self.layer4(c4))


class PlainTextBlock(nn.Module):

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.ln_1, self.attn = nn.LayerNorm(width), PlainAttention(width, heads)
        self.ln_2 = nn.LayerNorm(width)
        self.mlp = nn.ModuleDict(dict(c_fc=nn.Linear(width, 4 * width), c_proj=nn.Linear(4 * width, width)))

    def forward(self, x: Tensor, future: Tensor) -> Tensor:
        y = self.ln_1(x)
        x = x + self.attn(y, y, y, future)
        y = self.mlp['c_fc'](self.ln_2(x))
        return x + self.mlp['c_proj'](y * torch.sigmoid(1.702 * y))


class PlainCLIP(nn.Module):
    """CLIP's two towers; ``logit_scale`` is in the released files and does nothing."""

    def __init__(self, visual: PlainResNet, vocabulary: int, context: int, width: int, layers: int, heads: int,
                 joint: int) -> None:
        super().__init__()
        self.visual = visual
        self.token_embedding = nn.Embedding(vocabulary, width)
        self.positional_embedding = nn.Parameter(torch.randn(context, width) * 0.1)
        self.transformer = nn.ModuleDict(
            dict(resblocks=nn.ModuleList(PlainTextBlock(width, heads) for _ in range(layers))))
        self.ln_final = nn.LayerNorm(width)
        self.text_projection = nn.Parameter(torch.randn(width, joint) * width**-0.5)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def encode_text(self, token_ids: Tensor) -> Tuple[Tensor, Tensor]:
        length = token_ids.size(1)
        future = torch.ones(length, length).triu(1) > 0
        x = self.token_embedding(token_ids) + self.positional_embedding[:length]
        for block in self.transformer['resblocks']:
            x = block(x, future)
        words = self.ln_final(x)
        ends = torch.stack([row[ids.argmax()] for row, ids in zip(words, token_ids)])
        return words, ends @ self.text_projection
