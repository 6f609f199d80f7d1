"""Files in the layout that BEiT-3 is published in."""

import torch

from tests.checkpoints.published.toy_joint import (
    CHANNELS,
    FEEDFORWARD,
    LAYERS,
    PATCH_SIZE,
    PATCHES,
    POSITIONS,
    VOCABULARY,
    with_bias,
)

# Heads of the published files, by the code that made them.
HEADS = {
    'pretraining':
    dict(mim_head=(20, CHANNELS), mlm_head=(VOCABULARY, CHANNELS)),
    'classification': {
        'fc_norm': (CHANNELS, ),
        'head': (7, CHANNELS)
    },
    'NLVR2': {
        'head.norm1': (4 * CHANNELS, ),
        'head.dense1': (2 * CHANNELS, 4 * CHANNELS),
        'head.norm2': (2 * CHANNELS, ),
        'head.dense2': (2, 2 * CHANNELS)
    },
    'VQA': {
        'pooler.norm': (CHANNELS, ),
        'pooler.dense': (CHANNELS, CHANNELS),
        'head.0': (2 * CHANNELS, CHANNELS),
        'head.1': (2 * CHANNELS, ),
        'head.3': (7, 2 * CHANNELS)
    },
}


def published(task=None):
    """Random weights as the published code names and shapes them, written out from its modules."""
    shapes = {
        'text_embed.weight': (VOCABULARY, CHANNELS),
        'vision_embed.mask_token': (1, 1, CHANNELS),
        'vision_embed.cls_token': (1, 1, CHANNELS),
        'vision_embed.proj.weight': (CHANNELS, 3, PATCH_SIZE, PATCH_SIZE),
        'vision_embed.proj.bias': (CHANNELS, ),
        'encoder.embed_positions.A.weight': (PATCHES + 1 + 2, CHANNELS),
        'encoder.embed_positions.B.weight': (POSITIONS, CHANNELS),
    }
    for way in 'AB':
        for layer in range(LAYERS):
            begin = f'encoder.layers.{layer}'
            for name in 'kvq':
                shapes.update(with_bias(f'{begin}.self_attn.{name}_proj.{way}', (CHANNELS, CHANNELS)))
            shapes.update(with_bias(f'{begin}.self_attn.out_proj.{way}', (CHANNELS, CHANNELS)))
            shapes.update(with_bias(f'{begin}.self_attn.inner_attn_ln.{way}', (CHANNELS, )))
            shapes.update(with_bias(f'{begin}.self_attn_layer_norm.{way}', (CHANNELS, )))
            shapes.update(with_bias(f'{begin}.ffn.{way}.fc1', (FEEDFORWARD, CHANNELS)))
            shapes.update(with_bias(f'{begin}.ffn.{way}.fc2', (CHANNELS, FEEDFORWARD)))
            shapes.update(with_bias(f'{begin}.ffn.{way}.ffn_layernorm', (FEEDFORWARD, )))
            shapes.update(with_bias(f'{begin}.final_layer_norm.{way}', (CHANNELS, )))
        shapes.update(with_bias(f'encoder.layer_norm.{way}', (CHANNELS, )))
    shapes = {f'beit3.{name}': shape for name, shape in shapes.items()}
    if task == 'retrieval':
        shapes.update({'language_head.weight': (16, 16), 'vision_head.weight': (16, 16), 'logit_scale': ()})
    elif task is not None:
        for name, shape in HEADS[task].items():
            shapes.update(with_bias(name, shape))
    generator = torch.Generator().manual_seed(0)
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
