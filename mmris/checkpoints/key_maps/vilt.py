"""Published checkpoints of ViLT (Kim et al., ICML 2021), pretrained and fine-tuned, Hugging Face's, and ours.

Ours are those of :class:`mmris.models.encoders.TrimodalEncoder`. What no model of ours has is kept behind ``left_out.``
for the way back: the heads of each task, the mask token of masked patches, and NLVR2's type of a second image.
"""

from typing import Dict, Iterable, List, Mapping, Optional, Tuple

import torch
from torch import Tensor

from .key_map import LEFT_OUT, Derived, KeyMap, Rule, State, fuse, rename

_SECOND_IMAGE = f'{LEFT_OUT}second_image_type'
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


def _types(key: str, images: int) -> Rule:
    """The types of text and image; of NLVR2, which compares two images, also the second's."""
    if images == 1:
        return rename(key, _TYPES)
    return Rule((key, ), (_TYPES, _SECOND_IMAGE), lambda tensors: [tensors[0][:2].clone(), tensors[0][2:].clone()],
                lambda tensors: [torch.cat(tensors)])


def _text_position_ids(state: State) -> Tensor:
    return torch.arange(len(state['text_positions']))[None]


def _vilt(images: int) -> KeyMap:
    return KeyMap(
        name='ViLT',
        rules=(
            *_text_rules(_TEXT),
            _types('token_type_embeddings.weight', images),
            rename('transformer.cls_token', 'class_token'),
            _image_positions('transformer.pos_embed'),
            rename('transformer.mask_token', f'{LEFT_OUT}mask_token'),
            rename('transformer.patch_embed.proj.{parameter}', 'patch_embedding.{parameter}'),
            *(rename(f'transformer.blocks.{{block}}.{part}.{{parameter}}', f'blocks.{{block}}.{part}.{{parameter}}')
              for part in _BLOCK),
            rename('transformer.norm.{parameter}', 'norm.{parameter}'),
            *(rename(f'{head}.{{rest}}', f'{LEFT_OUT}{head}.{{rest}}') for head in _HEADS),
        ),
        derived=(Derived(f'{_TEXT}position_ids', _text_position_ids), ))


def _hugging_face(body: str, heads: Tuple[str, ...], images: int) -> KeyMap:
    """Of ``ViltModel`` alone, and of one with a head, where it stands behind ``vilt.``."""
    rules = (
        *_text_rules(f'embeddings.{_TEXT}'),
        _types('embeddings.token_type_embeddings.weight', images),
        rename('embeddings.cls_token', 'class_token'),
        _image_positions('embeddings.position_embeddings'),
        rename('embeddings.patch_embeddings.projection.{parameter}', 'patch_embedding.{parameter}'),
        fuse([f'encoder.layer.{{block}}.attention.attention.{part}.{{parameter}}'
              for part in ('query', 'key', 'value')], 'blocks.{block}.attn.qkv.{parameter}'),
        *(rename(f'encoder.layer.{{block}}.{theirs}.{{parameter}}', f'blocks.{{block}}.{ours}.{{parameter}}')
          for theirs, ours in _HUGGING_FACE_BLOCK),
        rename('layernorm.{parameter}', 'norm.{parameter}'),
        rename('pooler.{rest}', f'{LEFT_OUT}pooler.{{rest}}'),
    )
    return KeyMap(
        name='Hugging Face',
        rules=(
            *(rule.under(body, '') for rule in rules),
            *(rename(f'{head}.{{rest}}', f'{LEFT_OUT}{head}.{{rest}}') for head in heads),
        ),
        # A buffer that its older versions saved.
        derived=(Derived(f'{body}embeddings.{_TEXT}position_ids', _text_position_ids, written=False), ))


# By what the keys of BERT's embeddings begin with, and each for one image and for two.
_LAYOUTS: Dict[str, Tuple[KeyMap, KeyMap]] = {
    _TEXT: (_vilt(1), _vilt(2)),
    f'embeddings.{_TEXT}': tuple(_hugging_face('', (), images) for images in (1, 2)),
    f'vilt.embeddings.{_TEXT}': tuple(
        _hugging_face('vilt.', _HUGGING_FACE_HEADS, images) for images in (1, 2)),
}
VILT = _LAYOUTS[_TEXT][0]


def detect_layout(state: Mapping[str, Tensor]) -> Optional[KeyMap]:
    """Find out in which layout published weights are, by their keys; None if in none of these."""
    for prefix, (single, pair) in _LAYOUTS.items():
        if any(key.startswith(prefix) for key in state):
            types = state.get(f'{prefix.removesuffix(_TEXT)}token_type_embeddings.weight')
            return pair if types is not None and types.dim() == 2 and len(types) == 3 else single
    return None


def find_foreign(keys: Iterable[str]) -> List[str]:
    """Find the keys of ours that ViLT's layout has no place for: instance masks, and heads of other layouts."""
    known = {_SECOND_IMAGE, f'{LEFT_OUT}mask_token'}
    heads = tuple(f'{LEFT_OUT}{head}.' for head in _HEADS)
    return [
        key for key in keys if key.startswith(('mask_type', 'mask_place.'))
        or (key.startswith(LEFT_OUT) and key not in known and not key.startswith(heads))
    ]


def to_vilt(state: Mapping[str, Tensor], source: str) -> State:
    """Convert weights of ours to the keys of ViLT's published checkpoints, also those that never were of ViLT.

    Args:
        state (Mapping[str, Tensor]): Weights of a ``TrimodalEncoder`` without what :func:`find_foreign` finds.
        source (str): Where they come from, for messages.

    Returns:
        dict[str, Tensor]: ``text_embeddings.*``, ``token_type_embeddings.*``, ``transformer.*``, and the heads that
        were left out.

    Raises:
        KeyMapError: If keys are no such encoder's.
    """
    single, pair = _LAYOUTS[_TEXT]
    return (pair if _SECOND_IMAGE in state else single).to_theirs(state, source)
