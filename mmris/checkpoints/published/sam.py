"""The keys of SAM 1 (Kirillov et al., Segment Anything, ICCV 2023), and the rules that SAM 2 shares."""

from typing import Mapping

from .key_map import EXCLUDED, KeyMap, Rule, rename

TOWER, HEAD = 'encoder.segmenter.', 'head.'
_LAYER = 'mask_decoder.transformer.layers.{layer}'
# Theirs, ours.
_BLOCK = (('norm1', 'norm1'), ('attn.qkv', 'attn.qkv'), ('attn.proj', 'attn.proj'), ('norm2', 'norm2'),
          ('mlp.lin1', 'mlp.fc1'), ('mlp.lin2', 'mlp.fc2'))
_ATTENTIONS = (
    ('layers.{layer}.self_attn', 'layers.{layer}.self_attention'),
    ('layers.{layer}.cross_attn_token_to_image', 'layers.{layer}.to_image'),
    ('layers.{layer}.cross_attn_image_to_token', 'layers.{layer}.to_tokens'),
    ('final_attn_token_to_image', 'last_to_image'),
)
_PROJECTIONS = (('q_proj', 'query'), ('k_proj', 'key'), ('v_proj', 'value'), ('out_proj', 'out'))
_NORMS = (('layers.{layer}.norm1', 'layers.{layer}.self_attention_norm'),
          ('layers.{layer}.norm2', 'layers.{layer}.to_image_norm'),
          ('layers.{layer}.norm3', 'layers.{layer}.feedforward_norm'),
          ('layers.{layer}.norm4', 'layers.{layer}.to_tokens_norm'), ('norm_final_attn', 'last_norm'))
# For points, boxes and masks as prompts.
_OTHER_PROMPTS = ('point_embeddings.{rest}', 'not_a_point_embed.{rest}', 'mask_downscaling.{rest}')


def add_row(theirs: str, ours: str) -> Rule:
    """A vector that theirs holds as a table of one row."""
    return Rule((theirs, ), (ours, ), lambda tensors: [tensors[0][0]], lambda tensors: [tensors[0][None]])


def prompt_rules(theirs: str) -> tuple:
    """The rules of a prompt encoder, whose keys begin with ``theirs``; SAM 2's is the same."""
    return (
        rename(f'{theirs}pe_layer.positional_encoding_gaussian_matrix', f'{HEAD}positions.directions'),
        add_row(f'{theirs}no_mask_embed.weight', 'neck.no_mask'),
        *(rename(f'{theirs}{key}', f'{EXCLUDED}{theirs}{key}') for key in _OTHER_PROMPTS),
    )


def decoder_rules(theirs: str, mlps: Mapping[str, str]) -> tuple:
    """The rules that the mask decoders of SAM 1 and SAM 2 share.

    Args:
        theirs (str): With what its keys begin.
        mlps (Mapping[str, str]): The linear maps of the feedforward, theirs and ours.
    """
    transformer = f'{theirs}transformer.'
    return (
        rename(f'{theirs}iou_token.weight', f'{HEAD}quality_token'),
        rename(f'{theirs}mask_tokens.weight', f'{HEAD}mask_tokens'),
        *(rename(f'{transformer}{attention}.{projection}.{{p}}', f'{HEAD}transformer.{ours}.{name}.{{p}}')
          for attention, ours in _ATTENTIONS for projection, name in _PROJECTIONS),
        *(rename(f'{transformer}{norm}.{{p}}', f'{HEAD}transformer.{ours}.{{p}}') for norm, ours in _NORMS),
        *(rename(f'{transformer}layers.{{layer}}.mlp.{one}.{{p}}',
                 f'{HEAD}transformer.layers.{{layer}}.feedforward.{ours}.{{p}}') for one, ours in mlps.items()),
        rename(f'{theirs}output_upscaling.{{place}}.{{p}}', f'{HEAD}upscaling.{{place}}.{{p}}'),
        # Between the linear maps ours counts the activations too.
        *(rename(f'{theirs}{one}.layers.{number}.{{p}}', f'{HEAD}{ours}.{2 * number}.{{p}}')
          for one, ours in (('output_hypernetworks_mlps.{mask}', 'mask_mlps.{mask}'),
                            ('iou_prediction_head', 'quality_mlp')) for number in range(3)),
    )


KEY_MAP = KeyMap(
    name='SAM',
    rules=(
        rename('image_encoder.pos_embed', f'{TOWER}vit.pos_embed'),
        rename('image_encoder.patch_embed.proj.{p}', f'{TOWER}vit.patch_embed.proj.{{p}}'),
        *(rename(f'image_encoder.blocks.{{block}}.{theirs}.{{p}}', f'{TOWER}vit.blocks.{{block}}.{ours}.{{p}}')
          for theirs, ours in _BLOCK),
        *(rename(f'image_encoder.blocks.{{block}}.attn.{one}', f'{TOWER}vit.blocks.{{block}}.attn.{one}')
          for one in ('rel_pos_h', 'rel_pos_w')),
        rename('image_encoder.neck.{place}.{p}', f'{TOWER}vit.neck.{{place}}.{{p}}'),
        *prompt_rules('prompt_encoder.'),
        *decoder_rules('mask_decoder.', dict(lin1='0', lin2='2')),
    ))
