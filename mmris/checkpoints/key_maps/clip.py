"""CLIP's weights in the layouts of OpenAI, open_clip and Hugging Face, and in ours.

Ours are those of :class:`mmris.models.encoders.CLIPEncoder`: the keys of open_clip's towers behind ``image.clip.`` and
``text.clip.``. What no model of ours has is kept behind ``left_out.`` for the way back.
"""

from typing import Dict, Iterable, Mapping, Optional

import torch
from torch import Tensor

from ..architectures import measure_tower
from .key_map import LEFT_OUT, Derived, KeyMap, State, fuse, rename, transpose

IMAGE, TEXT = 'image.clip.', 'text.clip.'


def behind(state: Mapping[str, Tensor], prefix: str) -> State:
    """The tensors whose keys begin with a prefix, without it."""
    return {key.removeprefix(prefix): tensor for key, tensor in state.items() if key.startswith(prefix)}


def _input_resolution(ours: State) -> Tensor:
    measures = measure_tower(behind(ours, IMAGE))
    if measures is None:
        raise KeyError('image.clip')
    return torch.tensor(measures['image_size'])


def _context_length(ours: State) -> Tensor:
    return torch.tensor(len(ours[f'{TEXT}positional_embedding']))


def _vocab_size(ours: State) -> Tensor:
    return torch.tensor(len(ours[f'{TEXT}token_embedding.weight']))


def _causal_mask(ours: State) -> Tensor:
    length = int(_context_length(ours))
    return torch.full((length, length), float('-inf')).triu(1)


def _text_positions(ours: State) -> Tensor:
    return torch.arange(len(ours[f'{TEXT}positional_embedding']))


def _image_positions(ours: State) -> Tensor:
    return torch.arange(len(ours[f'{IMAGE}positional_embedding']))


_TOGETHER = (
    rename('visual.{rest}', f'{IMAGE}{{rest}}'),
    rename('transformer.{rest}', f'{TEXT}transformer.{{rest}}'),
    rename('token_embedding.weight', f'{TEXT}token_embedding.weight'),
    rename('positional_embedding', f'{TEXT}positional_embedding'),
    rename('ln_final.{parameter}', f'{TEXT}ln_final.{{parameter}}'),
    rename('text_projection', f'{TEXT}text_projection'),
    rename('logit_scale', f'{LEFT_OUT}logit_scale'),
)
_LOGIT_BIAS = rename('logit_bias', f'{LEFT_OUT}logit_bias')
# The causal mask: open_clip saves it in TorchScript archives alone.
OPENAI = KeyMap(
    'OpenAI', _TOGETHER,
    (Derived('input_resolution', _input_resolution), Derived('context_length', _context_length),
     Derived('vocab_size', _vocab_size)))
OPEN_CLIP = KeyMap('open_clip', (*_TOGETHER, _LOGIT_BIAS), (Derived('attn_mask', _causal_mask, written=False), ))
OPEN_CLIP_CUSTOM = KeyMap(
    'open_clip\'s CustomTextCLIP', (
        rename('visual.{rest}', f'{IMAGE}{{rest}}'),
        rename('text.{rest}', f'{TEXT}{{rest}}'),
        rename('logit_scale', f'{LEFT_OUT}logit_scale'),
        _LOGIT_BIAS,
    ), (Derived('text.attn_mask', _causal_mask, written=False), ))

# Hugging Face applies matrices from the left, and has separate ones for queries, keys and values.
_BLOCK = (
    fuse([f'self_attn.{name}_proj.weight' for name in 'qkv'], 'attn.in_proj_weight'),
    fuse([f'self_attn.{name}_proj.bias' for name in 'qkv'], 'attn.in_proj_bias'),
    rename('self_attn.out_proj.{parameter}', 'attn.out_proj.{parameter}'),
    rename('layer_norm1.{parameter}', 'ln_1.{parameter}'),
    rename('layer_norm2.{parameter}', 'ln_2.{parameter}'),
    rename('mlp.fc1.{parameter}', 'mlp.c_fc.{parameter}'),
    rename('mlp.fc2.{parameter}', 'mlp.c_proj.{parameter}'),
)
HUGGING_FACE = KeyMap(
    'Hugging Face',
    (
        *(rule.under('vision_model.encoder.layers.{block}.', f'{IMAGE}transformer.resblocks.{{block}}.')
          for rule in _BLOCK),
        rename('vision_model.embeddings.class_embedding', f'{IMAGE}class_embedding'),
        rename('vision_model.embeddings.patch_embedding.weight', f'{IMAGE}conv1.weight'),
        rename('vision_model.embeddings.position_embedding.weight', f'{IMAGE}positional_embedding'),
        # Their spelling.
        rename('vision_model.pre_layrnorm.{parameter}', f'{IMAGE}ln_pre.{{parameter}}'),
        rename('vision_model.post_layernorm.{parameter}', f'{IMAGE}ln_post.{{parameter}}'),
        transpose('visual_projection.weight', f'{IMAGE}proj'),
        *(rule.under('text_model.encoder.layers.{block}.', f'{TEXT}transformer.resblocks.{{block}}.')
          for rule in _BLOCK),
        rename('text_model.embeddings.token_embedding.weight', f'{TEXT}token_embedding.weight'),
        rename('text_model.embeddings.position_embedding.weight', f'{TEXT}positional_embedding'),
        rename('text_model.final_layer_norm.{parameter}', f'{TEXT}ln_final.{{parameter}}'),
        transpose('text_projection.weight', f'{TEXT}text_projection'),
        rename('logit_scale', f'{LEFT_OUT}logit_scale'),
    ),
    (
        # Buffers that its older versions saved.
        Derived('vision_model.embeddings.position_ids', _image_positions, written=False),
        Derived('text_model.embeddings.position_ids', _text_positions, written=False),
    ))
OURS = KeyMap('ours', tuple(rename(f'{part}{{rest}}', f'{part}{{rest}}') for part in (IMAGE, TEXT, LEFT_OUT)))

#: Layouts by the names that commands know them by.
LAYOUTS: Dict[str, KeyMap] = dict(mmris=OURS, openai=OPENAI, open_clip=OPEN_CLIP, hugging_face=HUGGING_FACE)


def detect_layout(keys: Iterable[str]) -> Optional[KeyMap]:
    """Find out in which layout CLIP weights are, by their keys; None if in none of these."""
    keys = set(keys)
    beginnings = {key.partition('.')[0] for key in keys}
    if any(key.startswith((IMAGE, TEXT)) for key in keys):
        return OURS
    if beginnings & {'vision_model', 'text_model'}:
        return HUGGING_FACE
    if not beginnings & {'visual', 'transformer'}:
        return None
    if 'text' in beginnings:
        return OPEN_CLIP_CUSTOM
    return OPENAI if keys & {derived.theirs for derived in OPENAI.derived} else OPEN_CLIP
