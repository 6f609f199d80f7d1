"""SAM 1 as the PyPI package segment-anything has it, at any size, and its names beside ours."""

from functools import partial
from typing import Any, Dict, Tuple

import torch
from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, TwoWayTransformer
from torch import nn

from mmris.checkpoints.published.sam import HEAD, KEY_MAP, TOWER
from mmris.models.encoders.towers.sam import complete_architecture


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
    return _ours({f'image_encoder.{name}': value for name, value in theirs.state_dict().items()}, TOWER)


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
    return _ours(theirs.state_dict(), HEAD)


def _ours(state: Dict[str, torch.Tensor], part: str) -> Dict[str, torch.Tensor]:
    """What a part of our model gets of their weights."""
    ours = KEY_MAP.to_ours(state, 'test')
    return {name.removeprefix(part): value for name, value in ours.items() if name.startswith(part)}


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
