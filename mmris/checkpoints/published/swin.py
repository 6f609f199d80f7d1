"""Swin transformer (Liu et al., ICCV 2021): weights in MMPretrain's layout, classifiers and what was trained from them.

Ours are those of :class:`mmris.models.encoders.SwinTower`, which holds MMPretrain's own module.
"""

import re
from typing import Dict, Mapping, Set, Tuple

from torch import Tensor

from ..files import State
from .key_map import EXCLUDED, KeyMap, rename
from .model import Layout, PublishedModel, PublishedWeights

_NORM = re.compile(r'swin\.norm(\d+)\.')
_TABLE = 'relative_position_bias_table'

KEY_MAP = KeyMap(
    name='MMPretrain',
    rules=(
        rename('backbone.{rest}', 'swin.{rest}'),
        # Heads of whatever it was trained for.
        rename('{rest}', f'{EXCLUDED}{{rest}}'),
    ))


def _describe(weights: PublishedWeights) -> str:
    depths: Dict[str, Set[str]] = {}
    heads = {}
    for key, value in weights.state.items():
        if key.startswith('swin.stages.') and key.endswith(_TABLE):
            _, _, stage, _, block, *_ = key.split('.')
            depths.setdefault(stage, set()).add(block)
            heads[stage] = value.size(1)
    cells = weights.state.get('swin.patch_embed.projection.weight')
    if not depths or cells is None:
        raise ValueError(f'{weights.source} does not hold a whole Swin.')
    return (f'embed_dims {len(cells)}, depths {[len(blocks) for blocks in depths.values()]}, num_heads '
            f'{list(heads.values())}')


def _fit(state: State, expected: State) -> Tuple[State, State]:
    """Allow for what differs between checkpoints of one Swin.

    Old ones call the last norm ``norm``, and hold masks of the attention. Classifiers have no norms of inner stages.
    Index tables follow from the window.
    """
    last = max((int(match[1]) for key in expected if (match := _NORM.match(key))), default=0)
    given = {
        key.replace('swin.norm.', f'swin.norm{last}.'): value
        for key, value in state.items() if not key.endswith(('attn_mask', 'relative_position_index'))
    }
    inner = {key for key in expected if (match := _NORM.match(key)) and int(match[1]) < last}
    return given, {
        key: value for key, value in expected.items()
        if not key.endswith('relative_position_index') and (key in given or key not in inner)
    }


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
    matches_ours=lambda state: any(key.startswith('swin.') for key in state),
    core=(('swin.patch_embed.projection.weight', f'swin.stages.0.blocks.0.attn.w_msa.{_TABLE}'), ),
    describe=_describe,
    root='encoder.image.',
    parts=('swin.', ),
    fit=_fit)
