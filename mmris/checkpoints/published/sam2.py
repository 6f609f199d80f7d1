"""The keys of SAM 2 (Ravi et al., SAM 2: Segment Anything in Images and Videos, 2024).

What it remembers of videos is excluded.
"""

from .key_map import EXCLUDED, KeyMap, rename
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
