"""CLIP (Radford et al., ICML 2021): weights in the layouts of OpenAI, open_clip and Hugging Face.

Ours are those of :class:`mmris.models.encoders.CLIPEncoder`: the keys of open_clip's towers behind ``image.clip.`` and
``text.clip.``, and flags that store which activation they were trained with.
"""

from typing import Any, Dict, Mapping, Optional, Tuple

import torch
from torch import Tensor

from ..files import State
from ..misfits import find_misfits
from .clip_architectures import IMAGE, TEXT, describe_architecture, measure_tower, part_of
from .clip_hugging_face import HUGGING_FACE
from .clip_tags import download_tag
from .key_map import EXCLUDED, Derived, KeyMap, rename
from .model import ConfigFile, Layout, PublishedModel, PublishedWeights, activation_name

_SUFFIXES = ('.safetensors', '.pt', '.pth', '.bin')


def _input_resolution(ours: State) -> Tensor:
    measures = measure_tower(part_of(ours, IMAGE))
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


#: The text tower's keys, which stand beside `visual`, not below a name of their own.
TEXT_RULES = (
    rename('transformer.{rest}', f'{TEXT}transformer.{{rest}}'),
    rename('token_embedding.weight', f'{TEXT}token_embedding.weight'),
    rename('positional_embedding', f'{TEXT}positional_embedding'),
    rename('ln_final.{parameter}', f'{TEXT}ln_final.{{parameter}}'),
    rename('text_projection', f'{TEXT}text_projection'),
    rename('logit_scale', f'{EXCLUDED}logit_scale'),
)
_TOGETHER = (rename('visual.{rest}', f'{IMAGE}{{rest}}'), *TEXT_RULES)
_LOGIT_BIAS = rename('logit_bias', f'{EXCLUDED}logit_bias')
_SIZES = (
    Derived('input_resolution', _input_resolution),
    Derived('context_length', _context_length),
    Derived('vocab_size', _vocab_size),
)


def _has_towers(state: Mapping[str, Tensor]) -> bool:
    return any(key.startswith(('visual.', 'transformer.')) for key in state)


def _open_clip_quick_gelu(config: Dict[str, Any]) -> Optional[bool]:
    return bool(config['model_cfg'].get('quick_gelu', False))


_OPEN_CLIP_CONFIG = ConfigFile('open_clip_config.json', _open_clip_quick_gelu)
OPENAI = Layout(
    name='openai',
    key_map=KeyMap('OpenAI', _TOGETHER, _SIZES),
    matches=lambda state: _has_towers(state) and any(size.theirs in state for size in _SIZES),
    suffixes=_SUFFIXES,
    quick_gelu=True)
OPEN_CLIP = Layout(
    name='open_clip',
    # The causal mask is saved in TorchScript archives alone.
    key_map=KeyMap('open_clip', (*_TOGETHER, _LOGIT_BIAS), (Derived('attn_mask', _causal_mask, written=False), )),
    matches=_has_towers,
    suffixes=_SUFFIXES,
    config=_OPEN_CLIP_CONFIG)
OPEN_CLIP_CUSTOM = Layout(
    name='open_clip_custom',
    key_map=KeyMap('open_clip\'s CustomTextCLIP', (
        rename('visual.{rest}', f'{IMAGE}{{rest}}'),
        rename('text.{rest}', f'{TEXT}{{rest}}'),
        rename('logit_scale', f'{EXCLUDED}logit_scale'),
        _LOGIT_BIAS,
    ), (Derived('text.attn_mask', _causal_mask, written=False), )),
    matches=lambda state: _has_towers(state) and any(key.startswith('text.') for key in state),
    config=_OPEN_CLIP_CONFIG)


def _matches_ours(state: Mapping[str, Tensor]) -> bool:
    return any(key.startswith((IMAGE, TEXT)) for key in state)


def _quick_gelu_keys(state: Mapping[str, Tensor]) -> Tuple[str, ...]:
    """Transformers have an activation to choose, ResNets do not."""
    towers = (('image.quick_gelu', f'{IMAGE}transformer.'), ('text.quick_gelu', f'{TEXT}transformer.'))
    return tuple(flag for flag, blocks in towers if any(key.startswith(blocks) for key in state))


def _describe(weights: PublishedWeights) -> str:
    for name, prefix in (('image', IMAGE), ('text', TEXT)):
        if measure_tower(weights.part(prefix)) is None:
            raise ValueError(f'{weights.source} holds no whole {name} tower of CLIP.')
    description = (f'{len(weights.part(IMAGE))} of the image tower, {len(weights.part(TEXT))} of the text tower, '
                   f'{activation_name(weights.quick_gelu)}')
    return description if 'logit_scale' in weights.excluded else f'{description}, no logit_scale in the input'


def _advise(state: Mapping[str, Tensor], expected: Mapping[str, Tensor], _: Any) -> str:
    """Name the architecture of the first tower that does not fit."""
    for prefix in (IMAGE, TEXT):
        tower = part_of(state, prefix)
        if find_misfits(part_of(expected, prefix), tower):
            return describe_architecture(tower)
    return ''


def _fit(state: State, expected: State) -> Tuple[State, State]:
    """An encoder may have one of the towers alone."""
    towers = tuple(prefix for prefix in (IMAGE, TEXT) if any(key.startswith(prefix) for key in expected))
    return {key: value for key, value in state.items() if key.startswith(towers)}, expected


CLIP = PublishedModel(
    name='clip',
    title='CLIP',
    layouts=(OPENAI, OPEN_CLIP_CUSTOM, OPEN_CLIP, HUGGING_FACE),
    matches_ours=_matches_ours,
    core=((f'{IMAGE}conv1.weight', f'{IMAGE}ln_pre.weight', f'{IMAGE}proj'),
          (f'{IMAGE}conv1.weight', f'{IMAGE}attnpool.c_proj.weight'),
          (f'{TEXT}token_embedding.weight', f'{TEXT}ln_final.weight', f'{TEXT}text_projection')),
    describe=_describe,
    parts=(IMAGE, TEXT),
    quick_gelu_keys=_quick_gelu_keys,
    find_tag=download_tag,
    advise=_advise,
    fit=_fit)
