"""SAM 1 as the PyPI package segment-anything has it, at any size, and its names beside ours."""

from functools import partial
from typing import Any, Dict, Tuple

import torch
from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, TwoWayTransformer
from torch import nn

from mmris.checkpoints.published.key_map import KeyMap, rename
from mmris.models.encoders.towers.sam import complete_architecture

# Theirs, ours, of the mask decoder as a head and the prompt encoder's vectors that a sentence needs.
DECODER_KEYS = KeyMap(
    name='SAM',
    rules=(
        rename('mask_decoder.iou_token.weight', 'head.quality_token'),
        rename('mask_decoder.mask_tokens.weight', 'head.mask_tokens'),
        *(rename(f'mask_decoder.transformer.{theirs}{their_part}.{{p}}', f'head.transformer.{ours}{our_part}.{{p}}')
          for theirs, ours in (('layers.{layer}.self_attn', 'layers.{layer}.self_attention'),
                               ('layers.{layer}.cross_attn_token_to_image', 'layers.{layer}.to_image'),
                               ('layers.{layer}.cross_attn_image_to_token', 'layers.{layer}.to_tokens'),
                               ('final_attn_token_to_image', 'last_to_image'))
          for their_part, our_part in (('.q_proj', '.query'), ('.k_proj', '.key'), ('.v_proj', '.value'),
                                       ('.out_proj', '.out'))),
        *(rename(f'mask_decoder.transformer.layers.{{layer}}.{theirs}.{{p}}',
                 f'head.transformer.layers.{{layer}}.{ours}.{{p}}')
          for theirs, ours in (('norm1', 'self_attention_norm'), ('norm2', 'to_image_norm'),
                               ('norm3', 'feedforward_norm'), ('norm4', 'to_tokens_norm'),
                               ('mlp.lin1', 'feedforward.0'), ('mlp.lin2', 'feedforward.2'))),
        rename('mask_decoder.transformer.norm_final_attn.{p}', 'head.transformer.last_norm.{p}'),
        rename('mask_decoder.output_upscaling.{place}.{p}', 'head.upscaling.{place}.{p}'),
        *(rename(f'mask_decoder.{theirs}.layers.{layer}.{{p}}', f'head.{ours}.{2 * layer}.{{p}}')
          for theirs, ours in (('output_hypernetworks_mlps.{mask}', 'mask_mlps.{mask}'),
                               ('iou_prediction_head', 'quality_mlp')) for layer in range(3)),
        rename('prompt_encoder.pe_layer.positional_encoding_gaussian_matrix', 'head.positions.directions'),
    ))


def image_encoder(architecture: Any) -> ImageEncoderViT:
    """Theirs, with random weights throughout, also where training begins with zeros and ones."""
    sizes = complete_architecture(architecture)
    return randomised(
        ImageEncoderViT(
            img_size=sizes['image_size'],
            patch_size=sizes['patch_size'],
            embed_dim=sizes['channels'],
            depth=sizes['layers'],
            num_heads=sizes['heads'],
            out_chans=sizes['out_channels'],
            window_size=sizes['window_size'],
            global_attn_indexes=[number - 1 for number in sizes['global_layers']],
            mlp_ratio=4,
            qkv_bias=True,
            use_rel_pos=True,
            norm_layer=partial(nn.LayerNorm, eps=1e-6)))


def randomised(module: nn.Module) -> nn.Module:
    for value in module.parameters():
        value.data += 0.1 * torch.randn_like(value)
    return module.eval()


def tower_state(theirs: nn.Module) -> Dict[str, torch.Tensor]:
    """Their weights by the names of our tower."""
    return {
        'vit.' + name.replace('mlp.lin1', 'mlp.fc1').replace('mlp.lin2', 'mlp.fc2'): value
        for name, value in theirs.state_dict().items()
    }


def decoder(channels: int, grid: Tuple[int, int], heads: int = 4, feedforward: int = 40) -> nn.ModuleDict:
    """Their prompt encoder and mask decoder, with random weights throughout."""
    transformer = TwoWayTransformer(depth=2, embedding_dim=channels, num_heads=heads, mlp_dim=feedforward)
    size = tuple(16 * side for side in grid)
    return randomised(
        nn.ModuleDict(
            dict(
                prompt_encoder=PromptEncoder(
                    embed_dim=channels, image_embedding_size=grid, input_image_size=size, mask_in_chans=4),
                mask_decoder=MaskDecoder(
                    transformer_dim=channels, transformer=transformer, iou_head_hidden_dim=channels))))


def head_state(theirs: nn.ModuleDict) -> Dict[str, torch.Tensor]:
    """Their weights by the names of our head."""
    state = {
        name: value
        for name, value in theirs.state_dict().items()
        if name.startswith('mask_decoder.') or 'gaussian_matrix' in name
    }
    return {name.removeprefix('head.'): value for name, value in DECODER_KEYS.to_ours(state, 'test').items()}


def predict(theirs: nn.ModuleDict, maps: torch.Tensor, prompts: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """Logits ``(P, 1, 4h, 4w)``, image by image and sentence by sentence, as EVF-SAM's code asks for them."""
    logits = []
    for prompt, image in zip(prompts, index.tolist()):
        sparse, dense = theirs.prompt_encoder(points=None, boxes=None, masks=None)
        masks, _ = theirs.mask_decoder(
            image_embeddings=maps[image][None],
            image_pe=theirs.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=torch.cat((sparse, prompt[None, None]), dim=1),
            dense_prompt_embeddings=dense,
            multimask_output=False)
        logits.append(masks)
    return torch.cat(logits)
