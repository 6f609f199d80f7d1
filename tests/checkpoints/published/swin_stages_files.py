"""Swin's weights as Microsoft's code names them, at toy sizes, and by the names of MMPretrain."""

from typing import Dict

import torch
from torch import Tensor

from tests.checkpoints.published.test_swin_weights import position_index

CHANNELS, DEPTHS, HEADS, WINDOW = 8, (1, 2, 2, 1), (1, 2, 2, 4), 4
ARCHITECTURE = dict(layers=DEPTHS, channels=CHANNELS, heads=HEADS, window=WINDOW)
_NAMES = (('layers.', 'stages.'), ('attn.', 'attn.w_msa.'), ('mlp.fc1', 'ffn.layers.0.0'), ('mlp.fc2', 'ffn.layers.1'),
          ('patch_embed.proj.', 'patch_embed.projection.'))


def tower(window: int = WINDOW) -> Dict[str, Tensor]:
    """Random weights of the stages alone."""
    generator = torch.Generator().manual_seed(4)
    state: Dict[str, Tensor] = {}

    def add(name: str, *shape: int, bias: bool = True) -> None:
        state[f'{name}.weight'] = torch.randn(shape, generator=generator)
        if bias:
            state[f'{name}.bias'] = torch.randn(shape[0], generator=generator)

    add('patch_embed.proj', CHANNELS, 3, 4, 4)
    add('patch_embed.norm', CHANNELS)
    for stage, (depth, heads) in enumerate(zip(DEPTHS, HEADS)):
        width = CHANNELS * 2**stage
        for number in range(depth):
            block = f'layers.{stage}.blocks.{number}'
            for name, *shape in (('norm1', width), ('norm2', width), ('attn.qkv', 3 * width, width),
                                 ('attn.proj', width, width), ('mlp.fc1', 4 * width, width),
                                 ('mlp.fc2', width, 4 * width)):
                add(f'{block}.{name}', *shape)
            table = torch.randn((2 * window - 1)**2, heads, generator=generator)
            state.update({f'{block}.attn.relative_position_bias_table': table,
                          f'{block}.attn.relative_position_index': position_index(window)})
        if stage < 3:
            add(f'layers.{stage}.downsample.norm', 4 * width)
            add(f'layers.{stage}.downsample.reduction', 2 * width, 4 * width, bias=False)
    return state


def classifier(window: int = WINDOW) -> Dict[str, Tensor]:
    """With the masks of shifted windows, and what makes classes of the last stage."""
    shifted = {f'layers.{stage}.blocks.1.attn_mask': torch.ones(4, window**2, window**2) for stage in (1, 2)}
    head = {'norm.weight': torch.ones(64), 'norm.bias': torch.zeros(64), 'head.weight': torch.ones(3, 64),
            'head.bias': torch.zeros(3)}
    return {**tower(window), **shifted, **head}


def as_mmpretrain(weights: Dict[str, Tensor], prefix: str = 'backbone.') -> Dict[str, Tensor]:
    """The same weights, where four neighbours are gathered by rows instead of by columns, channel by channel."""
    found = {}
    for name, value in weights.items():
        for own, other in _NAMES:
            name = name.replace(own, other)
        if '.downsample.' in name:
            # nn.Unfold gives all four neighbours of a channel, then those of the next.
            four = [part for part in value.unflatten(-1, (4, -1)).unbind(-2)]
            value = torch.stack([four[place] for place in (0, 2, 1, 3)], dim=-1).flatten(-2)
        found[prefix + name] = value
    return found
