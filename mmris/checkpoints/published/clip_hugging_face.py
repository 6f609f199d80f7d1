"""CLIP in Hugging Face's layout: a folder with ``model.safetensors`` and ``config.json``.

transformers applies matrices from the left, and has separate ones for queries, keys and values.
"""

from typing import Any, Callable, Dict, Mapping, Optional

import torch
from torch import Tensor

from ..files import State
from .clip_architectures import IMAGE, TEXT, find_heads, measure_tower
from .key_map import EXCLUDED, Derived, KeyMap, fuse, rename, transpose
from .model import ConfigFile, Layout, PublishedWeights

_BLOCK = (
    fuse([f'self_attn.{name}_proj.weight' for name in 'qkv'], 'attn.in_proj_weight'),
    fuse([f'self_attn.{name}_proj.bias' for name in 'qkv'], 'attn.in_proj_bias'),
    rename('self_attn.out_proj.{parameter}', 'attn.out_proj.{parameter}'),
    rename('layer_norm1.{parameter}', 'ln_1.{parameter}'),
    rename('layer_norm2.{parameter}', 'ln_2.{parameter}'),
    rename('mlp.fc1.{parameter}', 'mlp.c_fc.{parameter}'),
    rename('mlp.fc2.{parameter}', 'mlp.c_proj.{parameter}'),
)


def _positions(tower: str) -> Callable[[State], Tensor]:
    return lambda ours: torch.arange(len(ours[f'{tower}positional_embedding']))


_KEY_MAP = KeyMap(
    name='Hugging Face',
    rules=(
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
        rename('logit_scale', f'{EXCLUDED}logit_scale'),
    ),
    derived=(
        # Buffers that its older versions saved.
        Derived('vision_model.embeddings.position_ids', _positions(IMAGE), written=False),
        Derived('text_model.embeddings.position_ids', _positions(TEXT), written=False),
    ))


def _matches(state: Mapping[str, Tensor]) -> bool:
    return any(key.startswith(('vision_model.', 'text_model.')) for key in state)


def _read_quick_gelu(config: Dict[str, Any]) -> Optional[bool]:
    towers = [config[name] for name in ('vision_config', 'text_config') if name in config]
    if not towers and not config.get('model_type', '').startswith('clip'):
        return None
    towers = towers or [config]
    # transformers does not write what is its default.
    found = {tower.get('hidden_act', 'quick_gelu') for tower in towers}
    if len(found) > 1 or not found <= {'quick_gelu', 'gelu'}:
        raise ValueError(f'hidden_act must be quick_gelu or gelu, the same in both towers, but is {", ".join(found)}')
    return found == {'quick_gelu'}


def make_config(weights: PublishedWeights) -> Dict[str, Any]:
    """Make what transformers' ``CLIPModel`` is built from.

    Args:
        weights (PublishedWeights): Weights of both towers, whose activation is known.

    Returns:
        dict: The content of ``config.json``.

    Raises:
        ValueError: If the image tower is a ResNet.
    """
    image_state, text_state = weights.part(IMAGE), weights.part(TEXT)
    image, text = measure_tower(image_state), measure_tower(text_state)
    if image['patch_size'] is None:
        raise ValueError(f'{weights.source} holds a ResNet, but Hugging Face\'s CLIP has ViTs alone.')
    activation = 'quick_gelu' if weights.quick_gelu else 'gelu'
    dtypes = {tensor.dtype for tensor in weights.state.values()}
    return dict(
        architectures=['CLIPModel'],
        model_type='clip',
        projection_dim=image['embed_dim'],
        # Of mixed types the one that holds all.
        torch_dtype=str(dtypes.pop() if len(dtypes) == 1 else torch.float32).removeprefix('torch.'),
        vision_config=dict(
            model_type='clip_vision_model',
            image_size=image['image_size'],
            patch_size=image['patch_size'],
            **_transformer_config(image_state, image, activation)),
        text_config=dict(
            model_type='clip_text_model',
            max_position_embeddings=text['context_length'],
            vocab_size=text['vocab_size'],
            # CLIP's vocabulary ends with the two; the sentence is read at the highest.
            bos_token_id=text['vocab_size'] - 2,
            eos_token_id=text['vocab_size'] - 1,
            **_transformer_config(text_state, text, activation)))


def _transformer_config(state: Mapping[str, Tensor], measures: Dict[str, Any], activation: str) -> Dict[str, Any]:
    return dict(
        hidden_size=measures['width'],
        intermediate_size=len(state['transformer.resblocks.0.mlp.c_fc.weight']),
        num_hidden_layers=measures['layers'],
        num_attention_heads=find_heads(state, measures['width']),
        projection_dim=measures['embed_dim'],
        hidden_act=activation)


HUGGING_FACE = Layout(
    name='hugging_face',
    key_map=_KEY_MAP,
    matches=_matches,
    config=ConfigFile('config.json', _read_quick_gelu, make_config))
