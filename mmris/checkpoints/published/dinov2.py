"""DINOv2 with registers (Darcet et al., ICLR 2024): weights in Meta's layout and in timm's.

Ours are those of :class:`mmris.models.encoders.DINOv2Tower`.
"""

from typing import List, Mapping, Sequence

import torch
from torch import Tensor

from .key_map import EXCLUDED, KeyMap, Rule, rename
from .model import Layout, PublishedModel, PublishedWeights

_SHARED = (
    rename('patch_embed.proj.{p}', 'patch_embedding.{p}'),
    rename('blocks.{rest}', 'blocks.{rest}'),
    rename('norm.{p}', 'norm.{p}'),
)
KEY_MAP = KeyMap(
    name='DINOv2',
    rules=(
        rename('cls_token', 'class_token'),
        rename('pos_embed', 'positions'),
        rename('register_tokens', 'register_tokens'),
        # Stands for masked patches in DINOv2's own training.
        rename('mask_token', f'{EXCLUDED}mask_token'),
        *_SHARED,
    ),
    defaults={f'{EXCLUDED}mask_token': lambda ours: torch.zeros_like(ours['class_token'][0])})


def _split_class_position(tensors: List[Tensor]) -> Sequence[Tensor]:
    class_token, positions = tensors
    return class_token, torch.cat((torch.zeros_like(class_token), positions), dim=1)


def _add_class_position(tensors: List[Tensor]) -> Sequence[Tensor]:
    class_token, positions = tensors
    return class_token + positions[:, :1], positions[:, 1:].clone()


TIMM_KEY_MAP = KeyMap(
    name='timm',
    rules=(
        # timm has no position of the class token: it is added to the token, from which it cannot be taken again.
        Rule(('cls_token', 'pos_embed'), ('class_token', 'positions'), _split_class_position, _add_class_position),
        rename('reg_token', 'register_tokens'),
        # Of a classifier that was trained from it.
        rename('head.{p}', f'{EXCLUDED}head.{{p}}'),
        *_SHARED,
    ))


def _describe(weights: PublishedWeights) -> str:
    blocks = {key.split('.')[1] for key in weights.state if key.startswith('blocks.')}
    positions = weights.state.get('positions')
    if positions is None or not blocks:
        raise ValueError(f'{weights.source} does not hold a whole DINOv2.')
    return f'{len(blocks)} layers of {positions.size(2)} channels, {positions.size(1) - 1} positions of patches'


def _has(state: Mapping[str, Tensor], *keys: str) -> bool:
    return all(key in state for key in keys)


DINOV2 = PublishedModel(
    name='dinov2',
    title='DINOv2',
    layouts=(
        Layout(
            name='dinov2',
            key_map=KEY_MAP,
            matches=lambda state: _has(state, 'cls_token', 'pos_embed') and 'reg_token' not in state,
            suffixes=('.pth', '.safetensors')),
        Layout(
            name='timm',
            key_map=TIMM_KEY_MAP,
            matches=lambda state: _has(state, 'cls_token', 'pos_embed', 'reg_token'),
            suffixes=('.safetensors', '.pth')),
    ),
    matches_ours=lambda state: _has(state, 'register_tokens', 'positions'),
    core=(('register_tokens', 'positions', 'patch_embedding.weight'), ),
    describe=_describe,
    root='encoder.image.',
    parts=('class_token', 'positions', 'register_tokens', 'patch_embedding.', 'blocks.', 'norm.'))
