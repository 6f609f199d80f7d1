"""Published checkpoints of BEiT-3 (Wang et al., CVPR 2023), pretrained and fine-tuned, and ours.

Ours are those of :class:`mmris.models.encoders.BEiT3Encoder`. What no model of ours has is kept behind ``left_out.``
for the way back: the mask token, and the heads of each task.
"""

from typing import Mapping

import torch
from torch import Tensor

from .key_map import LEFT_OUT, KeyMap, State, rename

_MASK_TOKEN = f'{LEFT_OUT}mask_token'
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

BEIT3 = KeyMap(
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
        *(rename(head, f'{LEFT_OUT}{head}') for head in _HEADS),
    ))


def to_beit3(state: Mapping[str, Tensor], source: str) -> State:
    """Convert weights of ours to the keys of BEiT-3's published checkpoints, also those that never were of BEiT-3.

    The one tensor that its encoder has and ours does not, the mask token, is the published one where the weights were
    converted before, else zero, as BEiT-3 begins with.

    Args:
        state (Mapping[str, Tensor]): Weights of a ``BEiT3Encoder`` without joint space.
        source (str): Where they come from, for messages.

    Returns:
        dict[str, Tensor]: ``beit3.*``, and the heads that were left out.

    Raises:
        KeyMapError: If keys are no such encoder's.
    """
    complete = dict(state)
    if 'class_token' in state:
        complete.setdefault(_MASK_TOKEN, torch.zeros_like(state['class_token']))
    return BEIT3.to_theirs(complete, source)
