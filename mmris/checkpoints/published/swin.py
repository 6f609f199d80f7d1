"""Swin transformer (Liu et al., ICCV 2021): weights in MMPretrain's layout, classifiers and what was trained from them.

Ours are those of :class:`mmris.models.encoders.TimmTower` on a Swin of timm. :mod:`.swin_stages` has the other tower.
"""

from typing import Dict, List, Mapping, Sequence, Set, Tuple

import torch
from torch import Tensor

from .key_map import EXCLUDED, KeyMap, Rule, rename
from .model import Layout, PublishedModel, PublishedWeights

#: Of an attention: the row for each relative position, and which row belongs to two places of a window.
TABLE, INDEX = 'relative_position_bias_table', 'relative_position_index'
#: Weights of the merging of patches.
MERGING = ('norm.weight', 'norm.bias', 'reduction.weight')


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


def window_side(table: Tensor) -> int:
    """Rows and columns, in cells, of the windows that a table of relative positions is of.

    Args:
        table (Tensor): ``((2 side - 1)**2, heads)``.

    Raises:
        ValueError: If it is of no square window.
    """
    side = (round(len(table)**0.5) + 1) // 2 if table.dim() else 0
    if table.dim() != 2 or (2 * side - 1)**2 != len(table):
        raise ValueError(f'the relative positions of a square window were expected, not the shape {tuple(table.shape)}')
    return side


def _position_index(table: Tensor) -> Tensor:
    """Which row of a table of relative positions belongs to two places of a window."""
    side = window_side(table)
    places = torch.cartesian_prod(torch.arange(side), torch.arange(side))
    rows, columns = (places[:, None] - places[None] + side - 1).unbind(dim=2)
    return rows * (2 * side - 1) + columns


def _without_index(tensors: List[Tensor]) -> Sequence[Tensor]:
    table, index = tensors
    if not torch.equal(index.long(), _position_index(table)):
        raise ValueError('the rows of relative positions are not those of a square window, in its order')
    return [table]


def positions(theirs: str, ours: str) -> Rule:
    """Relative positions of an attention, given by prefixes: theirs saves with the table what follows from it."""
    return Rule((f'{theirs}.{TABLE}', f'{theirs}.{INDEX}'), (f'{ours}.{TABLE}', ), _without_index,
                lambda tensors: [tensors[0], _position_index(tensors[0])])


def mmpretrain_rules(theirs: str, ours: str, patches: str, merging: Mapping[int, int]) -> Tuple[Rule, ...]:
    """The rules of MMPretrain's layout but for norms after stages.

    Args:
        theirs (str): What stands before their keys, with its dot.
        ours (str): What stands before ours, in which MLPs and attentions are called as Microsoft does.
        patches (str): Our module of the patches, below ``ours``.
        merging (Mapping[int, int]): At which stage of ours the merging of patches is that stands at one of theirs.
    """
    block, own = f'{theirs}stages.{{stage}}.blocks.{{block}}', f'{ours}layers.{{stage}}.blocks.{{block}}'
    names = (('attn.w_msa.qkv', 'attn.qkv'), ('attn.w_msa.proj', 'attn.proj'), ('norm1', 'norm1'), ('norm2', 'norm2'),
             ('ffn.layers.0.0', 'mlp.fc1'), ('ffn.layers.1', 'mlp.fc2'))
    return (
        rename(f'{theirs}patch_embed.projection.{{rest}}', f'{ours}{patches}.proj.{{rest}}'),
        rename(f'{theirs}patch_embed.norm.{{rest}}', f'{ours}{patches}.norm.{{rest}}'),
        positions(f'{block}.attn.w_msa', f'{own}.attn'),
        *(rename(f'{block}.{name}.{{rest}}', f'{own}.{other}.{{rest}}') for name, other in names),
        *(Rule((f'{theirs}stages.{stage}.downsample.{name}', ), (f'{ours}layers.{other}.downsample.{name}', ),
               _to_neighbours_first, _to_channels_first) for stage, other in merging.items() for name in MERGING),
    )


KEY_MAP = KeyMap(
    name='MMPretrain',
    rules=(
        # It is at a stage's end there, and at the next one's beginning here.
        *mmpretrain_rules('backbone.', 'timm.', 'patch_embed.stem', {stage: stage + 1 for stage in range(3)}),
        rename('backbone.norm3.{rest}', 'timm.norm.{rest}'),
        # Norms of inner stages, masks of old versions, heads of whatever it was trained for.
        rename('{rest}', f'{EXCLUDED}{{rest}}'),
    ))


def describe_swin(weights: PublishedWeights, root: str, patches: str) -> str:
    """Name the measures of a Swin.

    Args:
        weights (PublishedWeights): Its weights.
        root (str): What stands before our keys, with its dot.
        patches (str): Our module of the patches.

    Raises:
        ValueError: If it is not whole.
    """
    depths: Dict[str, Set[str]] = {}
    heads, state = {}, weights.part(root)
    for key, value in state.items():
        if key.startswith('layers.') and key.endswith(TABLE):
            _, stage, _, block, *_ = key.split('.')
            depths.setdefault(stage, set()).add(block)
            heads[stage] = value.size(1)
    cells = state.get(f'{patches}.proj.weight')
    if not depths or cells is None:
        raise ValueError(f'{weights.source} does not hold a whole Swin.')
    return (f'embed_dim {len(cells)}, depths {[len(blocks) for blocks in depths.values()]}, num_heads '
            f'{list(heads.values())}')


def has_mmpretrain(state: Mapping[str, Tensor], body: str) -> bool:
    """Whether weights are in MMPretrain's layout, behind a prefix."""
    return all(any(key.startswith(f'{body}{part}.') for key in state) for part in ('patch_embed', 'stages'))


SWIN = PublishedModel(
    name='swin',
    title='Swin',
    layouts=(
        Layout(
            name='mmpretrain',
            key_map=KEY_MAP,
            matches=lambda state: has_mmpretrain(state, 'backbone.'),
            suffixes=('.pth', ),
            entry='state_dict'), ),
    matches_ours=lambda state: any(key.startswith('timm.layers.') for key in state),
    core=(('timm.patch_embed.stem.proj.weight', f'timm.layers.0.blocks.0.attn.{TABLE}'), ),
    describe=lambda weights: describe_swin(weights, 'timm.', 'patch_embed.stem'),
    root='encoder.image.',
    parts=('timm.', ))
