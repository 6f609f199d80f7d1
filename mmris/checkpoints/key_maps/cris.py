"""Released checkpoints of CRIS (Wang et al., CVPR 2022) and ours."""

import math
from typing import List, Mapping

import torch
from torch import Tensor

from .key_map import LEFT_OUT, KeyMap, Rule, State, rename

# Before each name of theirs: their training left it.
PREFIX = 'module.'
# CLIP's temperature, which CRIS does not use.
_LOGIT_SCALE = f'{LEFT_OUT}logit_scale'
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


def _with_quick_gelu(logit_scale: List[Tensor]) -> List[Tensor]:
    return [*logit_scale, torch.tensor(True)]


def _without_quick_gelu(tensors: List[Tensor]) -> List[Tensor]:
    logit_scale, quick_gelu = tensors
    if not quick_gelu:
        raise ValueError('CRIS has QuickGELU in its text tower, this model was trained with GELU')
    return [logit_scale]


CRIS = KeyMap(
    name='CRIS',
    rules=tuple(
        rule.under(PREFIX, '') for rule in (
            *(rename(f'{theirs}.{{rest}}', f'{ours}.{{rest}}') for theirs, ours in _MODULES),
            rename('backbone.positional_embedding', 'encoder.text.clip.positional_embedding'),
            rename('backbone.text_projection', 'encoder.text.clip.text_projection'),
            # Which activation its text tower has is known here, and kept with our weights.
            Rule(('backbone.logit_scale', ), (_LOGIT_SCALE, 'encoder.text.quick_gelu'), _with_quick_gelu,
                 _without_quick_gelu),
        )))


def to_cris(state: Mapping[str, Tensor], source: str) -> State:
    """Convert weights of ours to the keys of CRIS's released checkpoints, also those that never were of CRIS.

    The one tensor that CRIS has and does not use, CLIP's temperature, is the released one where the weights were
    converted before, else CLIP's.

    Args:
        state (Mapping[str, Tensor]): Weights of a ``ReferringSegmentor`` of configs/cris.
        source (str): Where they come from, for messages.

    Returns:
        dict[str, Tensor]: ``module.backbone.*``, ``module.neck.*``, ``module.decoder.*`` and ``module.proj.*``.

    Raises:
        KeyMapError: If keys are no such model's, or its text tower has another activation than CRIS's.
    """
    return CRIS.to_theirs({_LOGIT_SCALE: torch.tensor(math.log(100)), **state}, source)
