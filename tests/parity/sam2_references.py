"""SAM 2 as transformers has it, at any size, and its names beside ours."""

from typing import Any, Dict

import torch
from torch import nn
from transformers.models.sam2.configuration_sam2 import (
    Sam2Config,
    Sam2HieraDetConfig,
    Sam2MaskDecoderConfig,
    Sam2PromptEncoderConfig,
    Sam2VisionConfig,
)
from transformers.models.sam2.modeling_sam2 import Sam2Model

from mmris.checkpoints.published.key_map import EXCLUDED, KeyMap, rename
from mmris.models.encoders.towers.sam2 import complete_sam2_architecture
from tests.parity.sam_references import randomised

# Theirs, ours.
SAM2_KEYS = KeyMap(
    name='SAM 2',
    rules=(
        rename('vision_encoder.backbone.patch_embed.projection.{p}', 'encoder.segmenter.hiera.patch_embed.proj.{p}'),
        *(rename(f'vision_encoder.backbone.blocks.{{block}}.{theirs}.{{p}}',
                 f'encoder.segmenter.hiera.blocks.{{block}}.{ours}.{{p}}')
          for theirs, ours in (('layer_norm1', 'norm1'), ('layer_norm2', 'norm2'), ('mlp.proj_in', 'mlp.fc1'),
                               ('mlp.proj_out', 'mlp.fc2'))),
        rename('vision_encoder.backbone.{rest}', 'encoder.segmenter.hiera.{rest}'),
        # Theirs are counted from the deepest.
        *(rename(f'vision_encoder.neck.convs.{3 - stage}.{{p}}', f'encoder.segmenter.laterals.{stage}.{{p}}')
          for stage in range(4)),
        rename('mask_decoder.conv_s{level}.{p}', 'encoder.segmenter.narrowing.{level}.{p}'),
        rename('no_memory_embedding', 'encoder.segmenter.no_memory'),
        rename('shared_image_embedding.positional_embedding', 'head.positions.directions'),
        rename('mask_decoder.obj_score_token.weight', 'head.object_token'),
        rename('mask_decoder.iou_token.weight', 'head.quality_token'),
        rename('mask_decoder.mask_tokens.weight', 'head.mask_tokens'),
        *(rename(f'mask_decoder.transformer.{theirs}{their_part}.{{p}}', f'head.transformer.{ours}{our_part}.{{p}}')
          for theirs, ours in (('layers.{layer}.self_attn', 'layers.{layer}.self_attention'),
                               ('layers.{layer}.cross_attn_token_to_image', 'layers.{layer}.to_image'),
                               ('layers.{layer}.cross_attn_image_to_token', 'layers.{layer}.to_tokens'),
                               ('final_attn_token_to_image', 'last_to_image'))
          for their_part, our_part in (('.q_proj', '.query'), ('.k_proj', '.key'), ('.v_proj', '.value'),
                                       ('.o_proj', '.out'))),
        *(rename(f'mask_decoder.transformer.layers.{{layer}}.{theirs}.{{p}}',
                 f'head.transformer.layers.{{layer}}.{ours}.{{p}}')
          for theirs, ours in (('layer_norm1', 'self_attention_norm'), ('layer_norm2', 'to_image_norm'),
                               ('layer_norm3', 'feedforward_norm'), ('layer_norm4', 'to_tokens_norm'),
                               ('mlp.proj_in', 'feedforward.0'), ('mlp.proj_out', 'feedforward.2'))),
        rename('mask_decoder.transformer.layer_norm_final_attn.{p}', 'head.transformer.last_norm.{p}'),
        *(rename(f'mask_decoder.{theirs}.{{p}}', f'head.upscaling.{place}.{{p}}')
          for theirs, place in (('upscale_conv1', 0), ('upscale_layer_norm', 1), ('upscale_conv2', 3))),
        *(rename(f'mask_decoder.{theirs}.{layer}.{{p}}', f'head.{ours}.{place}.{{p}}')
          for theirs, ours in (('output_hypernetworks_mlps.{mask}', 'mask_mlps.{mask}'),
                               ('iou_prediction_head', 'quality_mlp'), ('pred_obj_score_head', 'object_mlp'))
          for layer, place in (('proj_in', 0), ('layers.0', 2), ('proj_out', 4))),
        rename('prompt_encoder.{rest}', f'{EXCLUDED}prompt_encoder.{{rest}}'),
    ))


def sam2_model(architecture: Any, size: int, heads: int = 2, feedforward: int = 40) -> Sam2Model:
    """Theirs, for square images, with random weights throughout, also where training begins with zeros and ones."""
    sizes = complete_sam2_architecture(architecture)
    width, channels = sizes['out_channels'], [sizes['channels'] * 2**stage for stage in range(4)]
    backbone = Sam2HieraDetConfig(
        hidden_size=sizes['channels'],
        num_attention_heads=sizes['heads'],
        image_size=[size, size],
        window_positional_embedding_background_size=[sizes['position_grid']] * 2,
        blocks_per_stage=list(sizes['layers']),
        embed_dim_per_stage=channels,
        num_attention_heads_per_stage=[sizes['heads'] * 2**stage for stage in range(4)],
        window_size_per_stage=list(sizes['window_sizes']),
        global_attention_blocks=[number - 1 for number in sizes['global_layers']])
    vision = Sam2VisionConfig(
        backbone_config=backbone,
        backbone_channel_list=channels[::-1],
        backbone_feature_sizes=[[size // stride] * 2 for stride in (4, 8, 16)],
        fpn_hidden_size=width)
    decoder = Sam2MaskDecoderConfig(
        hidden_size=width, mlp_dim=feedforward, num_attention_heads=heads, iou_head_hidden_dim=width)
    prompt = Sam2PromptEncoderConfig(hidden_size=width, image_size=size, mask_input_channels=4)
    # Their constructors read dicts.
    config = Sam2Config(vision.to_dict(), prompt.to_dict(), decoder.to_dict())
    return randomised(Sam2Model(config))


def our_state(theirs: nn.Module, prefix: str) -> Dict[str, torch.Tensor]:
    """Their weights by the names of our module that stands behind a prefix in a model."""
    ours = SAM2_KEYS.to_ours(theirs.state_dict(), 'test')
    return {name.removeprefix(prefix): value for name, value in ours.items() if name.startswith(prefix)}


def predict(theirs: Sam2Model, maps: Any, prompts: torch.Tensor, index: torch.Tensor, mask: str) -> torch.Tensor:
    """Logits ``(P, 1, 4h, 4w)``, image by image and sentence by sentence, as EVF-SAM's codes ask for them.

    Args:
        theirs (Sam2Model): The model.
        maps (Sequence[Tensor]): Of the images, with the vector of no memory, as ``get_image_embeddings`` gives them.
        prompts (Tensor): ``(P, C)``.
        index (Tensor): ``(P,)`` int64, the image of each prompt.
        mask (str): ``'best'`` as the multitask code, ``'stable'`` as the plain one.
    """
    positions = theirs.get_image_wide_positional_embeddings()
    _, dense = theirs.prompt_encoder(input_points=None, input_labels=None, input_boxes=None, input_masks=None)
    logits = []
    for prompt, image in zip(prompts, index.tolist()):
        *finer, deepest = (one[image][None] for one in maps)
        masks, qualities, _, _ = theirs.mask_decoder(
            image_embeddings=deepest,
            image_positional_embeddings=positions,
            sparse_prompt_embeddings=prompt[None, None, None],
            dense_prompt_embeddings=dense,
            multimask_output=mask == 'best',
            high_resolution_features=finer)
        logits.append(masks[:, 0, qualities[0, 0].argmax()])
    return torch.stack(logits)
