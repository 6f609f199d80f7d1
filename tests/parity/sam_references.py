"""SAM 1 as the PyPI package segment-anything has it, at any size, and its names beside ours."""

from functools import partial
from typing import Any, Dict

import torch
from segment_anything.modeling import ImageEncoderViT
from torch import nn

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
    return {
        'vit.' + name.replace('mlp.lin1', 'mlp.fc1').replace('mlp.lin2', 'mlp.fc2'): value
        for name, value in theirs.state_dict().items()
    }
