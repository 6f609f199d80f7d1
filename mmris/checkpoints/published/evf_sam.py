"""EVF-SAM (Zhang et al., arXiv 2406.20076): released checkpoints of the whole model.

Ours are those of the :class:`mmris.models.segmentors.ReferringSegmentor` of configs/evf_sam. Their files are SAM's or
SAM 2's weights, BEiT-3's, and a projector.
"""

from typing import Mapping, Tuple

import torch
from torch import Tensor

from ..files import State
from . import beit3, sam, sam2
from .key_map import EXCLUDED, KeyMap, rename
from .model import Layout, PublishedModel, PublishedWeights
from .whole import find_fitting_config

# A model's part by the prefix of its keys in their files and in ours.
_SEGMENTER, _EXTRACTOR, _JOINT = 'visual_model.', 'mm_extractor.', 'encoder.joint.'
_MASK_TOKEN = f'{EXCLUDED}{_JOINT}mask_token'
#: The configs of the released models. Those with `-multitask` have the same weights.
CONFIGS: Tuple[str, ...] = ('mmris::evf_sam/evf-sam.py', 'mmris::evf_sam/evf-sam2.py')


def _zero_mask_token(ours: State) -> Tensor:
    return torch.zeros_like(ours[f'{_JOINT}class_token'])


def _key_map(name: str, segmenter: KeyMap) -> KeyMap:
    return KeyMap(
        name=name,
        rules=(
            *(rule.under(_SEGMENTER, '') for rule in segmenter.rules),
            *(rule.under(_EXTRACTOR, _JOINT) for rule in beit3.KEY_MAP.rules),
            rename('text_hidden_fcs.0.{place}.{p}', 'neck.projection.{place}.{p}'),
        ),
        defaults={_MASK_TOKEN: _zero_mask_token},
        # We have not seen the list of keys of every released file.
        keeps_unknown=True)


def _layout(name: str, key_map: KeyMap, mark: str) -> Layout:
    return Layout(
        name=name,
        key_map=key_map,
        matches=lambda state: _has(state, f'{_SEGMENTER}{mark}') and _has(state, f'{_EXTRACTOR}beit3.'),
        suffixes=('.bin', '.safetensors', '.pth'))


def _has(state: Mapping[str, Tensor], prefix: str) -> bool:
    return any(key.startswith(prefix) for key in state)


def _describe(weights: PublishedWeights) -> str:
    return f'fit {find_fitting_config(weights, CONFIGS)}'


EVF_SAM = PublishedModel(
    name='evf_sam',
    title='EVF-SAM',
    layouts=(
        _layout('evf_sam', _key_map('EVF-SAM', sam.KEY_MAP), 'image_encoder.blocks.'),
        _layout('evf_sam2', _key_map('EVF-SAM with SAM 2', sam2.KEY_MAP), 'image_encoder.trunk.'),
    ),
    matches_ours=lambda state: _has(state, 'encoder.segmenter.') and _has(state, _JOINT),
    core=((f'{_JOINT}word_embedding.weight', 'head.mask_tokens'), ),
    describe=_describe,
    root='',
    whole=True)
