"""LAVT (Yang et al., CVPR 2022): released checkpoints of the whole model.

Ours are those of the :class:`mmris.models.segmentors.ReferringSegmentor` of configs/lavt. Their files hold BERT in an
entry of its own (``lavt``) or within the model (``lavt_one``), and objects of the training beside it.
"""

from typing import Callable, Dict, List, Mapping, Sequence, Tuple

import torch
from torch import Tensor

from ..files import State
from . import bert, swin_stages
from .key_map import EXCLUDED, KeyMap, Rule, rename
from .model import Layout, PublishedModel, PublishedWeights
from .whole import find_fitting_config

#: Weights do not show the data set: those of RefCOCO+ and RefCOCOg fit the same model.
CONFIGS: Tuple[str, ...] = ('mmris::lavt/swin-b_refcoco.py', )
_TEXT, _IMAGE = 'text_encoder.', 'backbone.'
_STAGE, _ATTENTION = f'{_IMAGE}layers.{{stage}}', 'encoder.attentions.{stage}'
_WORDS = tuple(f'{_STAGE}.fusion.image_lang_att.{name}.0' for name in ('f_key', 'f_value'))
_STAGES = 4
# The last stage's gate, whose result nothing takes.
_DEAD = _STAGES - 1
# Maps of pixels, theirs and ours. Norms over the pixels follow the last two.
_MAPS = (('vis_project', 'pixels'), ('project_mm', 'out'))
_NORMED_MAPS = (('image_lang_att.f_query', 'query'), ('image_lang_att.W', 'gathered'))
# Maps whose biases change nothing: the norms subtract them again, or the attention's softmax does.
_CANCELLED = (*_NORMED_MAPS, ('image_lang_att.f_key', 'key'), ('image_lang_att.f_value', 'value'))
_DECODER = (('conv1', 0), ('bn1', 1), ('conv2', 3), ('bn2', 4))


def _resize(matrix: Tensor, dimensions: int, wanted: int) -> Tensor:
    """A matrix with as many dimensions of 1 behind it as the other side has."""
    if matrix.dim() != dimensions or any(size != 1 for size in matrix.shape[2:]):
        shape = ', '.join(('outputs', 'inputs', *['1'] * (dimensions - 2)))
        raise ValueError(f'the shape ({shape}) was expected, not {tuple(matrix.shape)}')
    return matrix.reshape(*matrix.shape[:2], *[1] * (wanted - 2))


def _matrix(theirs: str, ours: str, dimensions: int) -> Rule:
    """A map of each cell alone: a 1x1 convolution of ours, and one of theirs over fewer dimensions."""
    return Rule((theirs, ), (ours, ), lambda tensors: [_resize(tensors[0], dimensions, 4)],
                lambda tensors: [_resize(tensors[0], 4, dimensions)])


def _fuse_words(tensors: List[Tensor]) -> Sequence[Tensor]:
    return [torch.cat([_resize(tensor, 3, 2) for tensor in tensors])]


def _split_words(tensors: List[Tensor]) -> Sequence[Tensor]:
    # Copies: parts of one tensor share its memory, which safetensors refuses to write.
    return [_resize(part, 2, 3).clone() for part in tensors[0].chunk(2)]


def _cancelled(ours: str) -> str:
    return f'{EXCLUDED}{_ATTENTION}.{ours}.0.bias'


def _attention_rules() -> Tuple[Rule, ...]:
    maps = (*_MAPS, *_NORMED_MAPS)
    return (
        *(_matrix(f'{_STAGE}.fusion.{theirs}.0.weight', f'{_ATTENTION}.{ours}.0.weight', 3) for theirs, ours in maps),
        *(rename(f'{_STAGE}.fusion.{theirs}.0.bias', f'{_ATTENTION}.{ours}.0.bias') for theirs, ours in _MAPS),
        *(rename(f'{_STAGE}.fusion.{theirs}.0.bias', _cancelled(ours)) for theirs, ours in _CANCELLED),
        Rule(tuple(f'{name}.weight' for name in _WORDS), (f'{_ATTENTION}.key_value.weight', ), _fuse_words,
             _split_words),
    )


def _gate_rules(stage: int) -> Tuple[Rule, ...]:
    theirs, ours = f'{_STAGE.format(stage=stage)}.res_gate', f'encoder.gates.{stage}'
    if stage == _DEAD:
        return (rename(f'{theirs}.{{place}}.weight', f'{EXCLUDED}{ours}.{{place}}.weight'), )
    return (_matrix(f'{theirs}.{{place}}.weight', f'{ours}.{{place}}.weight', 2), )


def _level_rules(level: int) -> Tuple[Rule, ...]:
    return tuple(
        rename(f'classifier.{theirs}_{level}.{{p}}', f'decoder.blocks.{level - 2}.{place}.{{p}}')
        for theirs, place in _DECODER)


def _zero_bias(stage: int) -> Callable[[State], Tensor]:
    return lambda state: torch.zeros_like(state[f'{_ATTENTION}.pixels.0.bias'.format(stage=stage)])


def _zero_gate(state: State) -> Tensor:
    return torch.zeros_like(state[f'{_ATTENTION}.pixels.0.weight'.format(stage=_DEAD)]).flatten(1)


def _defaults() -> Dict[str, Callable[[State], Tensor]]:
    """What their loader asks for and models trained here have not."""
    biases = {
        _cancelled(ours).format(stage=stage): _zero_bias(stage)
        for stage in range(_STAGES) for _, ours in _CANCELLED
    }
    return {**biases, **{f'{EXCLUDED}encoder.gates.{_DEAD}.{place}.weight': _zero_gate for place in (0, 2)}}


KEY_MAP = KeyMap(
    name='LAVT',
    rules=(
        *(rule.under(_IMAGE, 'encoder.image.') for rule in swin_stages.MICROSOFT_RULES),
        *_attention_rules(),
        *(rule for stage in range(_STAGES) for rule in _gate_rules(stage)),
        *(rename(f'{_IMAGE}norm{stage}.{{p}}', f'encoder.norms.{stage}.{{p}}') for stage in range(_STAGES)),
        *(rule for level in (4, 3, 2) for rule in _level_rules(level)),
        rename('classifier.conv1_1.{p}', 'head.convolution.{p}'),
        *(rule.under(_TEXT, 'encoder.text.') for rule in bert.RULES),
    ),
    derived=(bert.position_ids(_TEXT, 'encoder.text.'), ),
    defaults=_defaults())


def _describe(weights: PublishedWeights) -> str:
    return f'fit {find_fitting_config(weights, CONFIGS)}, or the config of another data set with that model'


def _matches(state: Mapping[str, Tensor]) -> bool:
    return any(key.startswith(f'{_IMAGE}layers.0.fusion.') for key in state)


def _layout(name: str, joined: Mapping[str, str]) -> Layout:
    # Their code reads files of torch.save alone.
    return Layout(name, KEY_MAP, _matches, suffixes=('.pth', ), entry='model', joined=joined)


LAVT = PublishedModel(
    name='lavt',
    title='LAVT',
    # Once an entry is joined to the others, the two do not differ.
    layouts=(_layout('lavt', dict(bert_model=_TEXT)), _layout('lavt_one', {})),
    matches_ours=lambda state: 'encoder.attentions.0.key_value.weight' in state and 'encoder.gates.0.0.weight' in state,
    core=(('encoder.image.patch_embed.proj.weight', 'encoder.attentions.0.key_value.weight'), ),
    describe=_describe,
    root='',
    whole=True,
    # Settings of the training, as argparse gave them.
    tensors_alone=True)
