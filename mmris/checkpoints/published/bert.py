"""BERT (Devlin et al., NAACL 2019): weights in Hugging Face's layout, with or without heads.

Ours are those of :class:`mmris.models.encoders.BERTTextTower`.
"""

from typing import Mapping, Tuple

import torch
from torch import Tensor

from .architectures import Architectures
from .key_map import EXCLUDED, Derived, KeyMap, Rule, fuse, rename
from .model import Layout, PublishedModel

_LAYER = ('encoder.layer.{layer}', 'layers.{layer}')
_MAPS = (
    ('attention.output.dense', 'self_attn.out_proj'),
    ('intermediate.dense', 'linear1'),
    ('output.dense', 'linear2'),
)
_NORMS = (('attention.output.LayerNorm', 'norm1'), ('output.LayerNorm', 'norm2'))
# Masked words and next sentences of its pretraining, then classification of texts and of words, and answers.
_HEADS = ('cls', 'classifier', 'qa_outputs')


def _norm(theirs: str, ours: str) -> Tuple[Rule, ...]:
    """A LayerNorm, whose weights old files call as TensorFlow does."""
    names = (('weight', 'weight'), ('bias', 'bias'), ('gamma', 'weight'), ('beta', 'bias'))
    return tuple(rename(f'{theirs}.{old}', f'{ours}.{parameter}') for old, parameter in names)


def position_ids(theirs: str, ours: str = '') -> Derived:
    """The numbers of positions, a buffer that older versions saved, behind the prefixes of BERT's names."""
    return Derived(
        f'{theirs}embeddings.position_ids', lambda state: torch.arange(len(state[f'{ours}positions']))[None],
        written=False)


#: The rules of ``BertModel`` alone.
RULES: Tuple[Rule, ...] = (
    rename('embeddings.word_embeddings.weight', 'word_embedding.weight'),
    rename('embeddings.position_embeddings.weight', 'positions'),
    rename('embeddings.token_type_embeddings.weight', 'types'),
    *_norm('embeddings.LayerNorm', 'norm'),
    *(fuse([f'{_LAYER[0]}.attention.self.{name}.{parameter}' for name in ('query', 'key', 'value')],
           f'{_LAYER[1]}.self_attn.in_proj_{parameter}') for parameter in ('weight', 'bias')),
    *(rename(f'{_LAYER[0]}.{theirs}.{{parameter}}', f'{_LAYER[1]}.{ours}.{{parameter}}') for theirs, ours in _MAPS),
    *(rule.under(f'{_LAYER[0]}.', f'{_LAYER[1]}.') for norm in _NORMS for rule in _norm(*norm)),
    # A map of the first token, which a sentence's words do not need.
    rename('pooler.{rest}', f'{EXCLUDED}pooler.{{rest}}'),
)


def _layout(body: str, suffixes: Tuple[str, ...] = ()) -> Layout:
    """Of ``BertModel`` alone, and of one with a head, where it stands behind ``bert.``."""
    key_map = KeyMap(
        name='Hugging Face',
        rules=(
            *(rule.under(body, '') for rule in RULES),
            *(rename(f'{head}.{{rest}}', f'{EXCLUDED}{head}.{{rest}}') for head in _HEADS if body),
        ),
        derived=(position_ids(body), ))
    return Layout('hugging_face', key_map, lambda state: f'{body}embeddings.word_embeddings.weight' in state, suffixes,
                  entry=None)


def _matches_ours(state: Mapping[str, Tensor]) -> bool:
    return all(key in state for key in ('word_embedding.weight', 'types', 'layers.0.linear1.weight'))


ARCHITECTURES = Architectures(
    title='BERT',
    named=dict(
        base=dict(
            layers=12, channels=768, heads=12, feedforward_channels=3072, vocabulary=30522, text_positions=512)),
    layers='layers.',
    feedforward='layers.0.linear1.weight',
    vocabulary='those of 30522 words in vocab.txt',
    text_positions='positions')

BERT = PublishedModel(
    name='bert',
    title='BERT',
    layouts=(
        _layout(''),
        # As the published files: what reads BERT alone looks for it behind the prefix too.
        _layout('bert.', ('.safetensors', '.bin', '.pth')),
    ),
    matches_ours=_matches_ours,
    core=(('word_embedding.weight', 'types', 'layers.0.self_attn.in_proj_weight'), ),
    describe=ARCHITECTURES.describe,
    root='encoder.text.',
    advise=ARCHITECTURES.advise)
