"""DETRIS (Huang et al., AAAI 2025): released checkpoints of the whole model.

Ours are those of the :class:`mmris.models.segmentors.ReferringSegmentor` of configs/detris. Their files hold the frozen
towers too: CLIP's text tower, and DINOv2.
"""

from typing import List, Mapping, Sequence, Tuple

import torch
from torch import Tensor

from . import clip, cris, dinov2
from .key_map import EXCLUDED, KeyMap, Rule, rename
from .model import Layout, PublishedModel, PublishedWeights
from .whole import find_fitting_config

#: Weights do not show the data set: those of RefCOCO+ and RefCOCOg fit the same models.
CONFIGS: Tuple[str, ...] = ('mmris::detris/vit-b_refcoco.py', 'mmris::detris/vit-l_refcoco.py',
                            'mmris::detris/vit-l_refcoco_mixed.py')
_TEXT, _IMAGE = 'txt_backbone.', 'dinov2.'
_QUICK_GELU = 'encoder.text.quick_gelu'
# Where an adapter stands, and the layers inside it: theirs, ours.
_ADAPTERS = ((f'{_TEXT}transformer.resblocks.{{block}}.adapter', 'encoder.text_adapters.{block}'),
             (f'{_IMAGE}blocks.{{block}}.adapter', 'encoder.image_adapters.{block}'))
_ADAPTER = (
    ('D_fc1', 'down'),
    ('D_fc2', 'up'),
    *((f'{theirs}.{layer}', f'dense.{ours}.{place}')
      for theirs, ours in (('dense_branch1', 'one'), ('dense_branch2.0', 'three.0'), ('dense_branch2.1', 'three.1'),
                           ('dense_branch3.0', 'five.0'), ('dense_branch3.1', 'five.1'))
      for layer, place in (('conv', '0'), ('bn', '1'))),
    ('cross.image_proj', 'look_at_words.patches_in'),
    ('cross.text_proj', 'look_at_words.words_in'),
    ('cross.back_proj', 'look_at_words.out'),
    ('cross.multihead_attn', 'look_at_words.attention'),
)
_NECK = (
    ('txt_proj', 'sentence_projection'),
    ('f3_proj', 'stage_projections.0'),
    ('f4_proj', 'stage_projections.1'),
    ('f5_proj', 'stage_projections.2'),
    ('aggr', 'aggregate'),
    ('coordconv.0.conv1', 'coordinates.0'),
    ('coordconv.1', 'coordinates.1'),
)


def _swap(tensors: List[Tensor]) -> Sequence[Tensor]:
    """A 1x1 convolution as a transposed one, and back: the same matrix with channels in and out exchanged."""
    return [tensors[0].transpose(0, 1).contiguous()]


def _split_dead(tensors: List[Tensor]) -> Sequence[Tensor]:
    """Values, and what makes queries and keys, which decide nothing over a single key."""
    if tensors[0].dim() == 0 or len(tensors[0]) % 3:
        raise ValueError(f'three equal parts were expected, not the shape {tuple(tensors[0].shape)}')
    dead, values = tensors[0].tensor_split((len(tensors[0]) // 3 * 2, ))
    # Copies: parts of one tensor share its memory, which safetensors refuses to write.
    return values.clone(), dead.clone()


def _join_dead(tensors: List[Tensor]) -> Sequence[Tensor]:
    values, *kept = tensors
    return [torch.cat((*(kept or (torch.zeros_like(values), ) * 2), values))]


def _attention(number: int, parameter: str) -> Rule:
    """The attention of a stage over the sentence alone: our two linear maps."""
    theirs = f'neck.fusion{number}.multihead_attn'
    return Rule((f'{theirs}.in_proj_{parameter}', ),
                (f'neck.factors.{number - 3}.0.{parameter}', f'{EXCLUDED}neck.factors.{number - 3}.dead_{parameter}'),
                _split_dead, _join_dead, optional=1)


KEY_MAP = KeyMap(
    name='DETRIS',
    rules=(
        *(rename(f'{theirs}.{layer}.{{rest}}', f'{ours}.{name}.{{rest}}') for theirs, ours in _ADAPTERS
          for layer, name in _ADAPTER),
        *(rule.under(_TEXT, 'encoder.') for rule in clip.TEXT_RULES),
        *(rule.under(_IMAGE, 'encoder.image.') for rule in dinov2.KEY_MAP.rules),
        *(rule for number in (3, 4, 5) for rule in (_attention(number, 'weight'), _attention(number, 'bias'))),
        *(rename(f'neck.fusion{number}.multihead_attn.out_proj.{{p}}', f'neck.factors.{number - 3}.1.{{p}}')
          for number in (3, 4, 5)),
        Rule(('neck.f5_proj.0.weight', ), ('neck.stage_projections.2.0.weight', ), _swap, _swap),
        *(rename(f'neck.{theirs}.{{rest}}', f'neck.{ours}.{{rest}}') for theirs, ours in _NECK),
        *cris.DECODER_RULES,
    ),
    defaults={
        f'{EXCLUDED}encoder.logit_scale': cris.temperature,
        f'{EXCLUDED}encoder.image.mask_token': lambda ours: torch.zeros_like(ours['encoder.image.class_token'][0]),
    })


def _describe(weights: PublishedWeights) -> str:
    config = find_fitting_config(weights, CONFIGS, (_QUICK_GELU, ))
    return f'fit {config}, or the config of another data set with that model'


def _matches_ours(state: Mapping[str, Tensor]) -> bool:
    return any(key.startswith('neck.factors.') for key in state) and 'encoder.image.register_tokens' in state


DETRIS = PublishedModel(
    name='detris',
    title='DETRIS',
    layouts=(
        Layout(
            name='detris',
            key_map=KEY_MAP,
            matches=lambda state: any(key.startswith(f'{_IMAGE}blocks.') for key in state),
            suffixes=('.pth', '.safetensors'),
            entry='state_dict',
            # Their training saves the model as DistributedDataParallel wraps it.
            prefix='module.',
            quick_gelu=True), ),
    matches_ours=_matches_ours,
    core=(('encoder.image.register_tokens', 'encoder.text.clip.token_embedding.weight', 'neck.factors.0.0.weight'), ),
    describe=_describe,
    root='',
    whole=True,
    quick_gelu_keys=lambda state: (_QUICK_GELU, ))
