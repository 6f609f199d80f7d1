"""BEiT-3 (Wang et al., CVPR 2023): weights in its own layout, pretrained and fine-tuned.

Ours are those of :class:`mmris.models.encoders.BEiT3Encoder`.
"""

from typing import Any, Mapping, Tuple

import torch
from torch import Tensor

from ..files import State
from .architectures import Architectures
from .key_map import EXCLUDED, KeyMap, rename
from .model import Layout, PublishedModel

_MASK_TOKEN = f'{EXCLUDED}mask_token'
# What each modality has of its own, theirs and ours.
_MODALITIES = (('A', 'image'), ('B', 'text'))
_EXPERT = (
    ('self_attn_layer_norm.{way}', 'attention_norm'),
    ('self_attn.q_proj.{way}', 'query'),
    ('self_attn.k_proj.{way}', 'key'),
    ('self_attn.v_proj.{way}', 'value'),
    ('self_attn.inner_attn_ln.{way}', 'inner_norm'),
    ('self_attn.out_proj.{way}', 'output'),
    ('final_layer_norm.{way}', 'feedforward_norm'),
    ('ffn.{way}.fc1', 'feedforward.0'),
    ('ffn.{way}.ffn_layernorm', 'feedforward.2'),
    ('ffn.{way}.fc2', 'feedforward.3'),
)
# Pretraining: masked image and language modelling, the second also for captions. Classification, NLVR2 and VQA: a head
# behind a norm or a pooler. Retrieval: two maps and a temperature.
_HEADS = (
    'mim_head.{rest}', 'mlm_head.{rest}', 'head.{rest}', 'fc_norm.{rest}', 'pooler.{rest}', 'vision_head.{rest}',
    'language_head.{rest}', 'logit_scale')

KEY_MAP = KeyMap(
    name='BEiT-3',
    rules=(
        rename('beit3.text_embed.weight', 'word_embedding.weight'),
        rename('beit3.vision_embed.proj.{parameter}', 'patch_embedding.{parameter}'),
        rename('beit3.vision_embed.cls_token', 'class_token'),
        rename('beit3.vision_embed.mask_token', _MASK_TOKEN),
        *(rename(f'beit3.encoder.embed_positions.{way}.weight', f'{modality}_positions')
          for way, modality in _MODALITIES),
        *(rename(f'beit3.encoder.layers.{{layer}}.{theirs.format(way=way)}.{{parameter}}',
                 f'layers.{{layer}}.{modality}.{ours}.{{parameter}}')
          for way, modality in _MODALITIES for theirs, ours in _EXPERT),
        *(rename(f'beit3.encoder.layer_norm.{way}.{{parameter}}', f'{modality}_norm.{{parameter}}')
          for way, modality in _MODALITIES),
        *(rename(head, f'{EXCLUDED}{head}') for head in _HEADS),
    ),
    # Its code asks for the mask token, which begins as zero.
    defaults={_MASK_TOKEN: lambda ours: torch.zeros_like(ours['class_token'])})

_FINAL_NORMS = ('image_norm.', 'text_norm.')
_PRETRAINING = dict(patch_size=16, image_size=224, vocabulary=64010, text_positions=1024)

ARCHITECTURES = Architectures(
    title='BEiT-3',
    named=dict(
        base=dict(layers=12, channels=768, heads=12, feedforward_channels=3072, **_PRETRAINING),
        large=dict(layers=24, channels=1024, heads=16, feedforward_channels=4096, **_PRETRAINING)),
    layers='layers.',
    feedforward='layers.0.image.feedforward.0.weight',
    # Two rows are not used, one is that of the class token.
    other_positions=3,
    vocabulary='beit3.spm, of 64010 words')


def _has_final_norms(state: Mapping[str, Tensor]) -> bool:
    return any(key.startswith(_FINAL_NORMS) for key in state)


def _fit(state: State, expected: State) -> Tuple[State, State]:
    """Encoders may have no final LayerNorm."""
    normed = _has_final_norms(expected)
    return {key: value for key, value in state.items() if normed or not key.startswith(_FINAL_NORMS)}, expected


def _advise(state: Mapping[str, Tensor], expected: Mapping[str, Tensor], architecture: Any) -> str:
    advice = ARCHITECTURES.advise(state, expected, architecture)
    if not _has_final_norms(expected) or ARCHITECTURES.measure(state) is None or _has_final_norms(state):
        return advice
    return f'It was fine-tuned without the final LayerNorm: set norm_last_stage=False. {advice}'.rstrip()


BEIT3 = PublishedModel(
    name='beit3',
    title='BEiT-3',
    layouts=(
        Layout(
            name='beit3',
            key_map=KEY_MAP,
            matches=lambda state: any(key.startswith('beit3.') for key in state),
            # Its code reads files of torch.save alone.
            suffixes=('.pth', ),
            entry='model'), ),
    matches_ours=lambda state: 'word_embedding.weight' in state and any(key.startswith('layers.') for key in state),
    core=(('patch_embedding.weight', 'word_embedding.weight', 'text_positions'), ),
    describe=ARCHITECTURES.describe,
    # A joint space is not BEiT-3's.
    ignored=('image_projection.', 'text_projection.'),
    advise=_advise,
    fit=_fit)
