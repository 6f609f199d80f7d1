"""Swin transformer (Liu et al., ICCV 2021) for a tower whose stages are run one by one.

Ours are those of :class:`mmris.models.encoders.PaddedSwin`, whose names are Microsoft's.
"""

from typing import Any, Mapping, Optional

from torch import Tensor

from .key_map import EXCLUDED, KeyMap, Rule, rename
from .model import Layout, PublishedModel
from .swin import INDEX, MERGING, TABLE, describe_swin, has_mmpretrain, mmpretrain_rules, positions, window_side

_BLOCK = 'layers.{stage}.blocks.{block}'
_FIRST_TABLE = f'layers.0.blocks.0.attn.{TABLE}'
_PATCHES = 'patch_embed.proj.weight'


def _same(key: str) -> Rule:
    return rename(key, key)


_SHARED = (
    *(_same(f'patch_embed.{name}.{{parameter}}') for name in ('proj', 'norm')),
    *(_same(f'{_BLOCK}.{name}.{{parameter}}')
      for name in ('norm1', 'norm2', 'attn.qkv', 'attn.proj', 'mlp.fc1', 'mlp.fc2')),
)
#: The rules of Microsoft's layout but for what was trained from it.
MICROSOFT_RULES = (
    *_SHARED,
    positions(f'{_BLOCK}.attn', f'{_BLOCK}.attn'),
    *(_same(f'layers.{{stage}}.downsample.{name}') for name in MERGING),
)
MICROSOFT = KeyMap(
    name='Microsoft',
    rules=(
        *MICROSOFT_RULES,
        # Of a map of one size.
        rename(f'{_BLOCK}.attn_mask', f'{EXCLUDED}{_BLOCK}.attn_mask'),
        # Of a classifier.
        *(rename(f'{head}.{{parameter}}', f'{EXCLUDED}{head}.{{parameter}}') for head in ('norm', 'head')),
    ))


_TIMM = KeyMap(
    name='timm',
    rules=(
        *_SHARED,
        _same(f'{_BLOCK}.attn.{TABLE}'),
        # It is at the next stage's beginning there.
        *(rename(f'layers.{stage + 1}.downsample.{name}', f'layers.{stage}.downsample.{name}')
          for stage in range(3) for name in MERGING),
        *(rename(f'{head}.{{rest}}', f'{EXCLUDED}{head}.{{rest}}') for head in ('norm', 'head')),
    ))


def _mmpretrain(body: str) -> KeyMap:
    return KeyMap(
        name='MMPretrain',
        rules=(
            *mmpretrain_rules(body, '', 'patch_embed', {stage: stage for stage in range(3)}),
            # Of a classifier, as Microsoft's.
            rename(f'{body}norm3.{{parameter}}', f'{EXCLUDED}norm.{{parameter}}'),
            # Norms of inner stages, masks of old versions, heads of whatever it was trained for.
            rename('{rest}', f'{EXCLUDED}{{rest}}'),
        ))


def _window(state: Mapping[str, Tensor]) -> Optional[int]:
    try:
        return window_side(state[_FIRST_TABLE])
    except (KeyError, ValueError):
        return None


def _advise(state: Mapping[str, Tensor], expected: Mapping[str, Tensor], _: Any) -> str:
    found, wanted = _window(state), _window(expected)
    if None in (found, wanted):
        return 'The file does not hold a whole Swin.'
    if found == wanted:
        return ''
    return (f'Its windows have {found} x {found} cells, those of the config {wanted} x {wanted}: set window={found} in '
            f'the architecture, or give a file of that window.')


SWIN_STAGES = PublishedModel(
    name='swin_stages',
    title='PaddedSwin',
    layouts=(
        Layout(
            name='microsoft',
            key_map=MICROSOFT,
            # The index tells it from ours.
            matches=lambda state: _PATCHES in state and any(key.endswith(f'.{INDEX}') for key in state),
            suffixes=('.pth', ),
            entry='model'),
        Layout(
            name='timm',
            key_map=_TIMM,
            matches=lambda state: _PATCHES in state and 'layers.3.downsample.reduction.weight' in state),
        # As MMSegmentation's converter writes Microsoft's files, then as training saves them.
        Layout(name='mmpretrain', key_map=_mmpretrain(''), matches=lambda state: has_mmpretrain(state, '')),
        Layout(
            name='mmpretrain',
            key_map=_mmpretrain('backbone.'),
            matches=lambda state: has_mmpretrain(state, 'backbone.'),
            suffixes=('.pth', ),
            entry='state_dict'),
    ),
    matches_ours=lambda state: _PATCHES in state and _FIRST_TABLE in state,
    core=((_PATCHES, _FIRST_TABLE), ),
    describe=lambda weights: describe_swin(weights, '', 'patch_embed'),
    root='encoder.image.',
    advise=_advise)
