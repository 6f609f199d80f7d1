"""Swin transformer (Liu et al., ICCV 2021): weights in MMPretrain's layout, classifiers and what was trained from them.

Ours are those of :class:`mmris.models.encoders.TimmTower` on a Swin of timm.
"""

from typing import Dict, List, Mapping, Sequence, Set

import torch
from torch import Tensor

from .key_map import EXCLUDED, KeyMap, Rule, rename
from .model import Layout, PublishedModel, PublishedWeights

_TABLE = 'relative_position_bias_table'
_BLOCK = ('backbone.stages.{stage}.blocks.{block}', 'timm.layers.{stage}.blocks.{block}')


def _check_merged(tensor: Tensor) -> None:
    if tensor.dim() == 0 or tensor.size(-1) % 4:
        raise ValueError(f'four neighbours were expected in the last dimension of the shape {tuple(tensor.shape)}')


def _to_neighbours_first(tensors: List[Tensor]) -> Sequence[Tensor]:
    """From channels, each with its neighbours by rows, to neighbours by columns, each with its channels."""
    _check_merged(tensors[0])
    return [tensors[0].unflatten(-1, (-1, 2, 2)).movedim(-3, -1).transpose(-3, -2).flatten(-3).contiguous()]


def _to_channels_first(tensors: List[Tensor]) -> Sequence[Tensor]:
    _check_merged(tensors[0])
    return [tensors[0].unflatten(-1, (2, 2, -1)).transpose(-3, -2).movedim(-1, -3).flatten(-3).contiguous()]


def _position_index(table: Tensor) -> Tensor:
    """Which row of a table of relative positions belongs to two places of a window."""
    side = (round(len(table)**0.5) + 1) // 2
    if table.dim() != 2 or (2 * side - 1)**2 != len(table):
        raise ValueError(f'the relative positions of a square window were expected, not the shape {tuple(table.shape)}')
    places = torch.cartesian_prod(torch.arange(side), torch.arange(side))
    rows, columns = (places[:, None] - places[None] + side - 1).unbind(dim=2)
    return rows * (2 * side - 1) + columns


def _in_block(theirs: str, ours: str) -> Rule:
    return rename(f'{_BLOCK[0]}.{theirs}.{{rest}}', f'{_BLOCK[1]}.{ours}.{{rest}}')


def _merging(stage: int, name: str) -> Rule:
    """Of the merging of patches, which is at a stage's end there, and at the next one's beginning here."""
    return Rule((f'backbone.stages.{stage}.downsample.{name}', ), (f'timm.layers.{stage + 1}.downsample.{name}', ),
                _to_neighbours_first, _to_channels_first)


KEY_MAP = KeyMap(
    name='MMPretrain',
    rules=(
        rename('backbone.patch_embed.projection.{rest}', 'timm.patch_embed.stem.proj.{rest}'),
        rename('backbone.patch_embed.norm.{rest}', 'timm.patch_embed.stem.norm.{rest}'),
        Rule((f'{_BLOCK[0]}.attn.w_msa.{_TABLE}', f'{_BLOCK[0]}.attn.w_msa.relative_position_index'),
             (f'{_BLOCK[1]}.attn.{_TABLE}', ), lambda tensors: tensors[:1],
             lambda tensors: [tensors[0], _position_index(tensors[0])]),
        *(_in_block(f'attn.w_msa.{name}', f'attn.{name}') for name in ('qkv', 'proj')),
        *(_in_block(name, name) for name in ('norm1', 'norm2')),
        _in_block('ffn.layers.0.0', 'mlp.fc1'),
        _in_block('ffn.layers.1', 'mlp.fc2'),
        *(_merging(stage, name) for stage in range(3) for name in ('norm.weight', 'norm.bias', 'reduction.weight')),
        rename('backbone.norm3.{rest}', 'timm.norm.{rest}'),
        # Norms of inner stages, masks of old versions, heads of whatever it was trained for.
        rename('{rest}', f'{EXCLUDED}{{rest}}'),
    ))


def _describe(weights: PublishedWeights) -> str:
    depths: Dict[str, Set[str]] = {}
    heads = {}
    for key, value in weights.state.items():
        if key.startswith('timm.layers.') and key.endswith(_TABLE):
            _, _, stage, _, block, *_ = key.split('.')
            depths.setdefault(stage, set()).add(block)
            heads[stage] = value.size(1)
    cells = weights.state.get('timm.patch_embed.stem.proj.weight')
    if not depths or cells is None:
        raise ValueError(f'{weights.source} does not hold a whole Swin.')
    return (f'embed_dim {len(cells)}, depths {[len(blocks) for blocks in depths.values()]}, num_heads '
            f'{list(heads.values())}')


def _matches(state: Mapping[str, Tensor]) -> bool:
    return any(key.startswith('backbone.patch_embed.') for key in state) and any(
        key.startswith('backbone.stages.') for key in state)


SWIN = PublishedModel(
    name='swin',
    title='Swin',
    layouts=(
        Layout(
            name='mmpretrain',
            key_map=KEY_MAP,
            matches=_matches,
            suffixes=('.pth', ),
            entry='state_dict'), ),
    matches_ours=lambda state: any(key.startswith('timm.layers.') for key in state),
    core=(('timm.patch_embed.stem.proj.weight', f'timm.layers.0.blocks.0.attn.{_TABLE}'), ),
    describe=_describe,
    root='encoder.image.',
    parts=('timm.', ))
