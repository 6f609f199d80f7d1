"""CRIS (Wang et al., CVPR 2022): released checkpoints of the whole model.

Ours are those of the :class:`mmris.models.segmentors.ReferringSegmentor` of configs/cris.
"""

import math
from typing import Mapping, Sequence, Tuple

import torch
from torch import Tensor

from ..files import State
from .key_map import EXCLUDED, KeyMap, Rule, rename
from .model import Layout, PublishedModel, PublishedWeights
from .whole import find_fitting_config

# Weights do not show the data set: those of RefCOCO+ and RefCOCOg fit the same models.
CONFIGS: Tuple[str, ...] = ('mmris::cris/rn50_refcoco.py', 'mmris::cris/rn101_refcoco.py')
_QUICK_GELU = 'encoder.text.quick_gelu'
# In the order of a forward pass, their names and ours.
_MODULES = (
    ('backbone.visual.attnpool.connect', 'encoder.image.shortcut'),
    ('backbone.visual', 'encoder.image.clip'),
    ('backbone.transformer', 'encoder.text.clip.transformer'),
    ('backbone.token_embedding', 'encoder.text.clip.token_embedding'),
    ('backbone.ln_final', 'encoder.text.clip.ln_final'),
    ('neck.txt_proj', 'neck.sentence_projection'),
    ('neck.f1_v_proj', 'neck.stage_projections.2'),
    ('neck.f2_v_proj', 'neck.stage_projections.1'),
    ('neck.f3_v_proj', 'neck.stage_projections.0'),
    ('neck.norm_layer', 'neck.sentence_norm'),
    ('neck.f2_cat', 'neck.fuse_middle'),
    ('neck.f3_cat', 'neck.fuse_shallow'),
    ('neck.f4_proj3', 'neck.level_projections.0'),
    ('neck.f4_proj4', 'neck.level_projections.1'),
    ('neck.f4_proj5', 'neck.level_projections.2'),
    ('neck.aggr', 'neck.aggregate'),
    ('neck.coordconv.0.conv1', 'neck.coordinates.0'),
    ('neck.coordconv.1', 'neck.coordinates.1'),
)
_DECODER = (
    ('decoder.layers.{layer}.norm1', 'decoder.layers.{layer}.self_norm_in'),
    ('decoder.layers.{layer}.self_attn', 'decoder.layers.{layer}.self_attention'),
    ('decoder.layers.{layer}.self_attn_norm', 'decoder.layers.{layer}.self_norm_out'),
    ('decoder.layers.{layer}.norm2', 'decoder.layers.{layer}.cross_norm_in'),
    ('decoder.layers.{layer}.multihead_attn', 'decoder.layers.{layer}.cross_attention'),
    ('decoder.layers.{layer}.cross_attn_norm', 'decoder.layers.{layer}.cross_norm_out'),
    ('decoder.layers.{layer}.norm3', 'decoder.layers.{layer}.feedforward_norm'),
    ('decoder.layers.{layer}.ffn', 'decoder.layers.{layer}.feedforward'),
    ('decoder.norm', 'decoder.norm'),
    ('proj.vis', 'head.pixel_projection'),
    ('proj.txt', 'head.kernel_projection'),
)


def _rename_modules(modules: Sequence[Tuple[str, str]]) -> Tuple[Rule, ...]:
    return tuple(rename(f'{theirs}.{{rest}}', f'{ours}.{{rest}}') for theirs, ours in modules)


def temperature(_: State) -> Tensor:
    """CLIP's temperature, which CRIS does not use and its loader asks for."""
    return torch.tensor(math.log(100))


#: The rules of decoder and head, which DETRIS shares.
DECODER_RULES = _rename_modules(_DECODER)
KEY_MAP = KeyMap(
    name='CRIS',
    rules=(
        *_rename_modules(_MODULES),
        *DECODER_RULES,
        rename('backbone.positional_embedding', 'encoder.text.clip.positional_embedding'),
        rename('backbone.text_projection', 'encoder.text.clip.text_projection'),
        rename('backbone.logit_scale', f'{EXCLUDED}logit_scale'),
    ),
    defaults={f'{EXCLUDED}logit_scale': temperature})


def _describe(weights: PublishedWeights) -> str:
    config = find_fitting_config(weights, CONFIGS, (_QUICK_GELU, ))
    return f'fit {config}, or the config of another data set with that model'


def _matches_ours(state: Mapping[str, Tensor]) -> bool:
    return any(key.startswith('encoder.image.clip.') for key in state)


CRIS = PublishedModel(
    name='cris',
    title='CRIS',
    layouts=(
        Layout(
            name='cris',
            key_map=KEY_MAP,
            matches=lambda state: any(key.startswith('backbone.visual.') for key in state),
            suffixes=('.pth', '.safetensors'),
            entry='state_dict',
            # Their training saves the model as DataParallel wraps it.
            prefix='module.',
            quick_gelu=True), ),
    matches_ours=_matches_ours,
    core=(('encoder.image.clip.conv1.weight', 'encoder.text.clip.token_embedding.weight',
           'head.kernel_projection.weight'), ),
    describe=_describe,
    root='',
    whole=True,
    quick_gelu_keys=lambda state: (_QUICK_GELU, ))
