"""SAM 2 (Ravi et al., SAM 2: Segment Anything in Images and Videos, 2024): released checkpoints.

Ours are those of the :class:`mmris.models.segmentors.ReferringSegmentor` of configs/evf_sam: image tower, mask decoder,
and the two vectors of the prompt encoder that a prompt of one token needs. What SAM 2 remembers of videos is excluded.
"""

from typing import Any, Dict, Mapping, Optional

from torch import Tensor

from .key_map import EXCLUDED, KeyMap, rename
from .model import Layout, PublishedModel, PublishedWeights
from .sam import HEAD, TOWER, decoder_rules, prompt_rules

_DECODER = 'sam_mask_decoder.'
_MEMORY = ('memory_attention.{rest}', 'memory_encoder.{rest}', 'mask_downsample.{rest}', 'obj_ptr_proj.{rest}',
           'obj_ptr_tpos_proj.{rest}', 'maskmem_tpos_enc', 'no_mem_pos_enc', 'no_obj_ptr', 'no_obj_embed_spatial')

KEY_MAP = KeyMap(
    name='SAM 2',
    rules=(
        *(rename(f'image_encoder.trunk.blocks.{{block}}.mlp.layers.{number}.{{p}}',
                 f'{TOWER}hiera.blocks.{{block}}.mlp.fc{number + 1}.{{p}}') for number in range(2)),
        *(rename(f'image_encoder.trunk.blocks.{{block}}.{one}.{{p}}', f'{TOWER}hiera.blocks.{{block}}.{one}.{{p}}')
          for one in ('norm1', 'norm2', 'attn.qkv', 'attn.proj', 'proj')),
        *(rename(f'image_encoder.trunk.{one}', f'{TOWER}hiera.{one}')
          for one in ('pos_embed', 'pos_embed_window', 'patch_embed.proj.weight', 'patch_embed.proj.bias')),
        # Theirs counts from the deepest map, ours from the shallowest.
        *(rename(f'image_encoder.neck.convs.{3 - number}.conv.{{p}}', f'{TOWER}laterals.{number}.{{p}}')
          for number in range(4)),
        *(rename(f'{_DECODER}conv_s{number}.{{p}}', f'{TOWER}narrowing.{number}.{{p}}') for number in range(2)),
        rename('no_mem_embed', f'{TOWER}no_memory'),
        *prompt_rules('sam_prompt_encoder.'),
        *decoder_rules(_DECODER, {'layers.0': '0', 'layers.1': '2'}),
        rename(f'{_DECODER}obj_score_token.weight', f'{HEAD}object_token'),
        *(rename(f'{_DECODER}pred_obj_score_head.layers.{number}.{{p}}', f'{HEAD}object_mlp.{2 * number}.{{p}}')
          for number in range(3)),
        *(rename(key, f'{EXCLUDED}{key}') for key in _MEMORY),
    ))

# Layers and channels of the first stage of the image tower.
_SIZES = {(12, 96): 'tiny', (16, 96): 'small', (24, 112): 'base_plus', (48, 144): 'large'}


def _measure(tower: Mapping[str, Tensor]) -> Optional[Dict[str, int]]:
    """Layers and channels of a tower; None if its weights are not whole."""
    try:
        channels = tower['hiera.pos_embed'].size(1)
    except (KeyError, IndexError):
        return None
    return dict(layers=len({key.split('.')[2] for key in tower if key.startswith('hiera.blocks.')}), channels=channels)


def _describe(weights: PublishedWeights) -> str:
    sizes = _measure(weights.part(TOWER))
    if sizes is None or not weights.part(HEAD):
        raise ValueError(f'{weights.source} does not hold a whole SAM 2.')
    name = _SIZES.get((sizes['layers'], sizes['channels']))
    return ', '.join((*([name] if name else []), *(f'{what} {value}' for what, value in sizes.items())))


def _advise(state: Mapping[str, Tensor], _: Any, architecture: Any) -> str:
    sizes = _measure(state)
    if sizes is None or architecture is None:
        return ''
    if (sizes['layers'], sizes['channels']) == (sum(architecture['layers']), architecture['channels']):
        return ''
    name = _SIZES.get((sizes['layers'], sizes['channels']))
    known = f'architecture={name!r}' if name else f'{sizes["layers"]} layers, channels={sizes["channels"]}'
    return f'It is of {known}: set that.'


SAM2 = PublishedModel(
    name='sam2',
    title='SAM 2',
    layouts=(
        Layout(
            name='sam2',
            key_map=KEY_MAP,
            matches=lambda state: any(key.startswith('image_encoder.trunk.') for key in state),
            # Its code reads files of torch.save alone.
            suffixes=('.pt', '.pth'),
            entry='model'), ),
    matches_ours=lambda state: any(key.startswith(f'{TOWER}hiera.') for key in state),
    core=((f'{TOWER}hiera.pos_embed', f'{HEAD}mask_tokens'), ),
    describe=_describe,
    root='',
    parts=(TOWER, HEAD, 'neck.no_mask'),
    # Of an EVF-SAM that was trained here.
    ignored=('encoder.joint.', 'neck.projection.'),
    advise=_advise)
