"""ViLT (Kim et al., ICML 2021): weights in its own layout and in Hugging Face's, pretrained and fine-tuned.

Ours are those of :class:`mmris.models.encoders.TrimodalEncoder`, which may take instance masks besides.
"""

from typing import List, Mapping, Tuple

import torch
from torch import Tensor

from ..files import State
from .architectures import Architectures
from .key_map import EXCLUDED, Derived, KeyMap, Rule, fuse, rename
from .model import Layout, PublishedModel

_SECOND_IMAGE = f'{EXCLUDED}second_image_type'
_TYPES = 'token_types'
_TEXT = 'text_embeddings.'
# Of each block, theirs and ours; Hugging Face's also has query, key and value apart.
_BLOCK = ('norm1', 'attn.qkv', 'attn.proj', 'norm2', 'mlp.fc1', 'mlp.fc2')
_HUGGING_FACE_BLOCK = (
    ('layernorm_before', 'norm1'),
    ('attention.output.dense', 'attn.proj'),
    ('layernorm_after', 'norm2'),
    ('intermediate.dense', 'mlp.fc1'),
    ('output.dense', 'mlp.fc2'),
)
# Pretraining: masked words and patches, whether image and text match. Then VQA, GQA, NLVR2, retrieval.
_HEADS = ('pooler', 'mlm_score', 'mpp_score', 'itm_score', 'vqa_classifier', 'gqa_classifier', 'nlvr2_classifier',
          'rank_output')
_HUGGING_FACE_HEADS = ('mlm_score', 'rank_output', 'classifier')


def _text_rules(prefix: str) -> Tuple[Rule, ...]:
    """BERT's embeddings, which keep their names in both layouts."""
    return (
        rename(f'{prefix}word_embeddings.weight', 'word_embedding.weight'),
        rename(f'{prefix}position_embeddings.weight', 'text_positions'),
        rename(f'{prefix}token_type_embeddings.weight', 'text_types'),
        rename(f'{prefix}LayerNorm.{{parameter}}', 'text_norm.{parameter}'),
    )


def _image_positions(key: str) -> Rule:
    return Rule((key, ), ('image_positions', ), _without_batch, lambda tensors: [tensors[0].unsqueeze(0)])


def _without_batch(tensors: List[Tensor]) -> List[Tensor]:
    if tensors[0].dim() != 3 or len(tensors[0]) != 1:
        raise ValueError(f'the shape (1, positions, channels) was expected, not {tuple(tensors[0].shape)}')
    return [tensors[0].squeeze(0)]


def _types(key: str) -> Rule:
    """The types of text and image; of NLVR2, which compares two images, also the second's."""
    return Rule((key, ), (_TYPES, _SECOND_IMAGE), _split_types, lambda tensors: [torch.cat(tensors)], optional=1)


def _split_types(tensors: List[Tensor]) -> List[Tensor]:
    [types] = tensors
    return [types[:2].clone(), types[2:].clone()] if types.dim() == 2 and len(types) == 3 else [types]


def _text_position_ids(state: State) -> Tensor:
    return torch.arange(len(state['text_positions']))[None]


KEY_MAP = KeyMap(
    name='ViLT',
    rules=(
        *_text_rules(_TEXT),
        _types('token_type_embeddings.weight'),
        rename('transformer.cls_token', 'class_token'),
        _image_positions('transformer.pos_embed'),
        rename('transformer.mask_token', f'{EXCLUDED}mask_token'),
        rename('transformer.patch_embed.proj.{parameter}', 'patch_embedding.{parameter}'),
        *(rename(f'transformer.blocks.{{block}}.{part}.{{parameter}}', f'blocks.{{block}}.{part}.{{parameter}}')
          for part in _BLOCK),
        rename('transformer.norm.{parameter}', 'norm.{parameter}'),
        *(rename(f'{head}.{{rest}}', f'{EXCLUDED}{head}.{{rest}}') for head in _HEADS),
    ),
    derived=(Derived(f'{_TEXT}position_ids', _text_position_ids), ))


def _hugging_face(body: str, heads: Tuple[str, ...]) -> Layout:
    """Of ``ViltModel`` alone, and of one with a head, where it stands behind ``vilt.``."""
    rules = (
        *_text_rules(f'embeddings.{_TEXT}'),
        _types('embeddings.token_type_embeddings.weight'),
        rename('embeddings.cls_token', 'class_token'),
        _image_positions('embeddings.position_embeddings'),
        rename('embeddings.patch_embeddings.projection.{parameter}', 'patch_embedding.{parameter}'),
        fuse([f'encoder.layer.{{block}}.attention.attention.{part}.{{parameter}}'
              for part in ('query', 'key', 'value')], 'blocks.{block}.attn.qkv.{parameter}'),
        *(rename(f'encoder.layer.{{block}}.{theirs}.{{parameter}}', f'blocks.{{block}}.{ours}.{{parameter}}')
          for theirs, ours in _HUGGING_FACE_BLOCK),
        rename('layernorm.{parameter}', 'norm.{parameter}'),
        rename('pooler.{rest}', f'{EXCLUDED}pooler.{{rest}}'),
    )
    key_map = KeyMap(
        name='Hugging Face',
        rules=(
            *(rule.under(body, '') for rule in rules),
            *(rename(f'{head}.{{rest}}', f'{EXCLUDED}{head}.{{rest}}') for head in heads),
        ),
        # A buffer that its older versions saved.
        derived=(Derived(f'{body}embeddings.{_TEXT}position_ids', _text_position_ids, written=False), ))
    return Layout('hugging_face', key_map, lambda state: _has(state, f'{body}embeddings.{_TEXT}'))


def _has(state: Mapping[str, Tensor], prefix: str) -> bool:
    return any(key.startswith(prefix) for key in state)


ARCHITECTURES = Architectures(
    title='ViLT',
    named=dict(
        base=dict(
            layers=12,
            channels=768,
            heads=12,
            feedforward_channels=3072,
            patch_size=32,
            image_size=384,
            vocabulary=30522,
            text_positions=40)),
    layers='blocks.',
    feedforward='blocks.0.mlp.fc1.weight',
    # One row is that of the class token.
    other_positions=1,
    vocabulary='BERT\'s, of 30522 words in vocab.txt')

VILT = PublishedModel(
    name='vilt',
    title='ViLT',
    layouts=(
        Layout(
            name='vilt',
            key_map=KEY_MAP,
            matches=lambda state: _has(state, _TEXT),
            suffixes=('.ckpt', '.pth'),
            entry='state_dict'),
        _hugging_face('', ()),
        _hugging_face('vilt.', _HUGGING_FACE_HEADS),
    ),
    matches_ours=lambda state: 'word_embedding.weight' in state and _has(state, 'blocks.'),
    core=(('patch_embedding.weight', 'word_embedding.weight', 'class_token'), ),
    describe=ARCHITECTURES.describe,
    # What an encoder that takes instance masks has more than ViLT.
    additions=('mask_type', 'mask_place.'),
    # PyTorch Lightning saved callbacks and settings beside the weights.
    tensors_alone=True,
    advise=ARCHITECTURES.advise)
