"""DETRIS in the published layout at a size that tests run in no time, with random weights."""

import math
from typing import Dict, NamedTuple, Tuple

import torch
from torch import Tensor

from tests.parity.plain_detris import Heads

HEADS = Heads(image=2, text=2, cross=2, decoder=2)
TAPS = (2, 3, 4)


class Sizes(NamedTuple):
    """Of :func:`toy_state`. Neck, decoder and words share one width, as in the published models."""

    image_width: int = 24
    image_depth: int = 4
    #: Blocks with an adapter, counted from 1, and the adapters' width, a multiple of 16.
    image_adapters: Tuple[int, ...] = (2, 4)
    image_adapter_width: int = 32
    #: Side of the grid that the positions are for, registers, and pixels in a patch's side.
    grid: int = 5
    registers: int = 4
    patch: int = 14
    text_width: int = 16
    text_depth: int = 3
    text_adapters: Tuple[int, ...] = (2, )
    text_adapter_width: int = 16
    vocabulary: int = 64
    context: int = 12
    #: Width of the image adapters' attention to the words.
    cross_width: int = 8
    #: Width of the sentence. It differs from the words' here, so that no test takes one for the other.
    sentence: int = 20
    decoder_depth: int = 2
    feedforward: int = 24


class Weights:
    """Random tensors by name, none of which has a value that modules start at."""

    def __init__(self, seed: int) -> None:
        self.state: Dict[str, Tensor] = {}
        self.generator = torch.Generator().manual_seed(seed)

    def normal(self, name: str, *shape: int, deviation: float = 0.5) -> None:
        self.state[name] = deviation * torch.randn(shape, generator=self.generator, dtype=torch.float64)

    def uniform(self, name: str, count: int, low: float) -> None:
        """Between ``low`` and ``low + 1``."""
        self.state[name] = low + torch.rand(count, generator=self.generator, dtype=torch.float64)

    def map(self, name: str, inputs: int, outputs: int) -> None:
        self.normal(f'{name}.weight', outputs, inputs, deviation=inputs**-0.5)
        self.uniform(f'{name}.bias', outputs, -0.5)

    def convolution(self, name: str, inputs: int, outputs: int, *kernel: int, bias: bool = True) -> None:
        self.normal(f'{name}.weight', outputs, inputs, *kernel, deviation=(inputs * math.prod(kernel))**-0.5)
        if bias:
            self.uniform(f'{name}.bias', outputs, -0.5)

    def norm(self, name: str, width: int) -> None:
        self.uniform(f'{name}.weight', width, 0.5)
        self.uniform(f'{name}.bias', width, -0.5)

    def batch_norm(self, name: str, width: int) -> None:
        self.norm(name, width)
        self.uniform(f'{name}.running_mean', width, -0.5)
        self.uniform(f'{name}.running_var', width, 0.5)
        self.state[f'{name}.num_batches_tracked'] = torch.tensor(7)

    def normed_convolution(self, name: str, inputs: int, outputs: int, size: int) -> None:
        self.convolution(f'{name}.0', inputs, outputs, size, size, bias=False)
        self.batch_norm(f'{name}.1', outputs)

    def attention(self, name: str, width: int) -> None:
        self.normal(f'{name}.in_proj_weight', 3 * width, width, deviation=width**-0.5)
        self.uniform(f'{name}.in_proj_bias', 3 * width, -0.5)
        self.map(f'{name}.out_proj', width, width)


def add_adapter(weights: Weights, name: str, inputs: int, width: int, dimensions: int) -> None:
    """The maps and the dense block; ``dimensions`` are those of the convolutions."""
    weights.map(f'{name}.D_fc1', inputs, width)
    weights.map(f'{name}.D_fc2', width, inputs)
    for branch, given, result, size in (('1', width, width // 2, 1), ('2.0', width * 3 // 2, width // 16, 1),
                                        ('2.1', width // 16, width // 4, 3), ('3.0', width * 7 // 4, width // 16, 1),
                                        ('3.1', width // 16, width // 4, 5)):
        weights.convolution(f'{name}.dense_branch{branch}.conv', given, result, *[size] * dimensions)
        weights.batch_norm(f'{name}.dense_branch{branch}.bn', result)


def add_text(weights: Weights, sizes: Sizes) -> None:
    width = sizes.text_width
    weights.normal('txt_backbone.token_embedding.weight', sizes.vocabulary, width)
    weights.normal('txt_backbone.positional_embedding', sizes.context, width)
    for number in range(1, sizes.text_depth + 1):
        block = f'txt_backbone.transformer.resblocks.{number - 1}'
        weights.norm(f'{block}.ln_1', width)
        weights.attention(f'{block}.attn', width)
        weights.norm(f'{block}.ln_2', width)
        weights.map(f'{block}.mlp.c_fc', width, 4 * width)
        weights.map(f'{block}.mlp.c_proj', 4 * width, width)
        if number in sizes.text_adapters:
            add_adapter(weights, f'{block}.adapter', width, sizes.text_adapter_width, dimensions=1)
    weights.norm('txt_backbone.ln_final', width)
    weights.normal('txt_backbone.text_projection', width, sizes.sentence, deviation=width**-0.5)
    weights.normal('txt_backbone.logit_scale')


def add_image(weights: Weights, sizes: Sizes) -> None:
    width, adapter_width = sizes.image_width, sizes.image_adapter_width
    weights.normal('dinov2.cls_token', 1, 1, width)
    weights.normal('dinov2.pos_embed', 1, 1 + sizes.grid**2, width)
    weights.normal('dinov2.register_tokens', 1, sizes.registers, width)
    weights.normal('dinov2.mask_token', 1, width)
    weights.convolution('dinov2.patch_embed.proj', 3, width, sizes.patch, sizes.patch)
    for number in range(1, sizes.image_depth + 1):
        block = f'dinov2.blocks.{number - 1}'
        for place in ('1', '2'):
            weights.norm(f'{block}.norm{place}', width)
            weights.uniform(f'{block}.ls{place}.gamma', width, 0.5)
        weights.map(f'{block}.attn.qkv', width, 3 * width)
        weights.map(f'{block}.attn.proj', width, width)
        weights.map(f'{block}.mlp.fc1', width, 4 * width)
        weights.map(f'{block}.mlp.fc2', 4 * width, width)
        if number in sizes.image_adapters:
            add_adapter(weights, f'{block}.adapter', width, adapter_width, dimensions=2)
            weights.map(f'{block}.adapter.cross.image_proj', adapter_width, sizes.cross_width)
            weights.map(f'{block}.adapter.cross.text_proj', sizes.text_width, sizes.cross_width)
            weights.map(f'{block}.adapter.cross.back_proj', sizes.cross_width, adapter_width)
            weights.attention(f'{block}.adapter.cross.multihead_attn', sizes.cross_width)
    weights.norm('dinov2.norm', width)


def add_stages(weights: Weights, sizes: Sizes) -> None:
    """Neck, decoder and head."""
    width, half = sizes.text_width, sizes.text_width // 2
    weights.map('neck.txt_proj', sizes.sentence, width)
    for number in (3, 4, 5):
        weights.normed_convolution(f'neck.f{number}_proj', sizes.image_width, width, 1)
        weights.attention(f'neck.fusion{number}.multihead_attn', width)
    # It is a transposed convolution.
    weights.normal('neck.f5_proj.0.weight', sizes.image_width, width, 1, 1, deviation=sizes.image_width**-0.5)
    weights.normed_convolution('neck.aggr', 3 * width, width, 1)
    weights.normed_convolution('neck.coordconv.0.conv1', width + 2, width, 3)
    weights.normed_convolution('neck.coordconv.1', width, width, 3)
    for index in range(sizes.decoder_depth):
        layer = f'decoder.layers.{index}'
        for norm in ('self_attn_norm', 'cross_attn_norm', 'norm1', 'norm2', 'norm3'):
            weights.norm(f'{layer}.{norm}', width)
        weights.attention(f'{layer}.self_attn', width)
        weights.attention(f'{layer}.multihead_attn', width)
        weights.map(f'{layer}.ffn.0', width, sizes.feedforward)
        weights.norm(f'{layer}.ffn.3', sizes.feedforward)
        weights.map(f'{layer}.ffn.4', sizes.feedforward, width)
    weights.norm('decoder.norm', width)
    weights.normed_convolution('proj.vis.1', width, width, 3)
    weights.normed_convolution('proj.vis.3', width, half, 3)
    weights.convolution('proj.vis.4', half, half, 1, 1)
    weights.map('proj.txt', sizes.sentence, 9 * half + 1)


def add_everything(weights: Weights, sizes: Sizes) -> None:
    add_text(weights, sizes)
    add_image(weights, sizes)
    add_stages(weights, sizes)


def toy_state(seed: int = 0, dtype: torch.dtype = torch.float64, **sizes: object) -> Dict[str, Tensor]:
    """A whole state in the published layout, without ``module.``, dead parts included.

    Args:
        seed (int): Of the random numbers. Default: 0.
        dtype (torch.dtype): Of all tensors but BatchNorm's counters. Default: torch.float64.
        sizes (object): Fields of :class:`Sizes` that differ from the defaults.
    """
    weights = Weights(seed)
    add_everything(weights, Sizes(**sizes))
    return {name: value.to(dtype) if value.is_floating_point() else value for name, value in weights.state.items()}


def released(state: Dict[str, Tensor]) -> dict:
    """A checkpoint as it is published: every key behind ``module.``, and what is stored beside the weights."""
    return dict(epoch=5, best_iou=0.5, state_dict={f'module.{name}': value for name, value in state.items()})


def toy_inputs(seed: int = 1, rows: int = 3, side: int = 56, dtype: torch.dtype = torch.float64) -> Dict[str, Tensor]:
    """``pixels (P, 3, side, side)``, ``token_ids (P, 12)`` of several lengths, and bool ``masks (P, side, side)``."""
    generator = torch.Generator().manual_seed(seed)
    token_ids = torch.randint(1, 62, (rows, 12), generator=generator)
    for row in range(rows):
        end = 11 - (3 * row) % 10
        token_ids[row, 0], token_ids[row, end], token_ids[row, end + 1:] = 62, 63, 0
    return dict(
        pixels=torch.randn(rows, 3, side, side, generator=generator, dtype=dtype),
        token_ids=token_ids,
        masks=torch.rand(rows, side, side, generator=generator) < 0.3)
