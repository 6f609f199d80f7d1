"""Files as DETRIS's published training saves them, at toy sizes."""

import math
from typing import Dict

import torch
from mmengine.config import Config
from torch import Tensor

from tests.conftest import ROOT
from tests.test_configs import shrink

#: The released models, by a config of each.
CONFIGS = ('vit-b_refcoco', 'vit-l_refcoco', 'vit-l_refcoco_mixed')
_CBR = (('conv', ('weight', 'bias')), ('bn', ('weight', 'bias', 'running_mean', 'running_var')))


def toy_config(name: str) -> Config:
    """A config of ours at toy size; base and large differ in the width of DINOv2."""
    config = shrink(Config.fromfile(ROOT / f'configs/detris/{name}.py'))
    if name != 'vit-b_refcoco':
        config.model.encoder.image.architecture.update(channels=48)
        config.model.neck.in_channels = (48, 48, 48)
    config.model.encoder.quick_gelu = True
    return config


def _cbr(name: str, out: int, into: int, *kernel: int) -> Dict[str, tuple]:
    shapes = {f'{name}.{layer}.{one}': (out, ) for layer, names in _CBR for one in names}
    return {**shapes, f'{name}.conv.weight': (out, into, *kernel), f'{name}.bn.num_batches_tracked': ()}


def _dense(a: int, dimensions: int) -> Dict[str, tuple]:
    kernels = {size: (size, ) * dimensions for size in (1, 3, 5)}
    return {
        **_cbr('dense_branch1', a // 2, a, *kernels[1]),
        **_cbr('dense_branch2.0', a // 16, a * 3 // 2, *kernels[1]),
        **_cbr('dense_branch2.1', a // 4, a // 16, *kernels[3]),
        **_cbr('dense_branch3.0', a // 16, a * 7 // 4, *kernels[1]),
        **_cbr('dense_branch3.1', a // 4, a // 16, *kernels[5]),
    }


def _linear(name: str, out: int, into: int) -> Dict[str, tuple]:
    return {f'{name}.weight': (out, into), f'{name}.bias': (out, )}


def _norm(name: str, width: int) -> Dict[str, tuple]:
    return {f'{name}.weight': (width, ), f'{name}.bias': (width, )}


def _attention(name: str, width: int, context: int = 0) -> Dict[str, tuple]:
    inputs = {f'{name}.in_proj_weight': (3 * width, width)}
    if context:
        inputs = {f'{name}.{one}_proj_weight': (width, width if one == 'q' else context) for one in 'qkv'}
    return {**inputs, f'{name}.in_proj_bias': (3 * width, ), **_linear(f'{name}.out_proj', width, width)}


def _conv_norm(name: str, *shape: int) -> Dict[str, tuple]:
    out = shape[1] if name.endswith('f5_proj') else shape[0]
    statistics = {f'{name}.1.{one}': (out, ) for one in ('weight', 'bias', 'running_mean', 'running_var')}
    return {f'{name}.0.weight': shape, **statistics, f'{name}.1.num_batches_tracked': ()}


def _below(prefix: str, shapes: Dict[str, tuple]) -> Dict[str, tuple]:
    return {f'{prefix}.{name}': shape for name, shape in shapes.items()}


def _text(model: Config) -> Dict[str, tuple]:
    sizes, a = model.encoder.architecture.text_cfg, model.encoder.text_adapter_channels
    width, shapes = sizes.width, {}
    for index in range(sizes.layers):
        block = {
            **_norm('ln_1', width), **_attention('attn', width), **_norm('ln_2', width),
            **_linear('mlp.c_fc', 4 * width, width), **_linear('mlp.c_proj', width, 4 * width),
        }
        if index + 1 in model.encoder.text_adapter_blocks:
            block.update(_below('adapter', {
                **_linear('D_fc1', a, width), **_linear('D_fc2', width, a), **_dense(a, 1)}))
        shapes.update(_below(f'transformer.resblocks.{index}', block))
    return {
        **shapes, 'token_embedding.weight': (sizes.vocab_size, width),
        'positional_embedding': (sizes.context_length, width), **_norm('ln_final', width),
        'text_projection': (width, model.encoder.architecture.embed_dim), 'logit_scale': (),
    }


def _dinov2(model: Config) -> Dict[str, tuple]:
    sizes, a, shared = model.encoder.image.architecture, model.encoder.image_adapter_channels, 16
    width, words, patches = sizes.channels, model.encoder.architecture.text_cfg.width, (sizes.image_size // 14)**2
    shapes = {
        'cls_token': (1, 1, width), 'pos_embed': (1, 1 + patches, width), 'register_tokens': (1, 4, width),
        'mask_token': (1, width), 'patch_embed.proj.weight': (width, 3, 14, 14), 'patch_embed.proj.bias': (width, ),
        **_norm('norm', width),
    }
    for index in range(sizes.layers):
        block = {
            **_norm('norm1', width), **_linear('attn.qkv', 3 * width, width), **_linear('attn.proj', width, width),
            'ls1.gamma': (width, ), **_norm('norm2', width), **_linear('mlp.fc1', 4 * width, width),
            **_linear('mlp.fc2', width, 4 * width), 'ls2.gamma': (width, ),
        }
        if index + 1 in model.encoder.image_adapter_blocks:
            block.update(_below('adapter', {
                **_linear('D_fc1', a, width), **_linear('D_fc2', width, a), **_dense(a, 2),
                **_linear('cross.image_proj', shared, a), **_linear('cross.text_proj', shared, words),
                **_linear('cross.back_proj', a, shared), **_attention('cross.multihead_attn', shared)}))
        shapes.update(_below(f'blocks.{index}', block))
    return shapes


def _stages(model: Config) -> Dict[str, tuple]:
    width, joint, words = model.decoder.channels, model.encoder.architecture.embed_dim, model.decoder.word_channels
    image, hidden = model.neck.in_channels[0], model.decoder.feedforward_channels
    shapes = {
        **_linear('neck.txt_proj', width, joint), **_conv_norm('neck.f3_proj', width, image, 1, 1),
        **_conv_norm('neck.f4_proj', width, image, 1, 1), **_conv_norm('neck.f5_proj', image, width, 1, 1),
        **_conv_norm('neck.aggr', width, 3 * width, 1, 1),
        **_conv_norm('neck.coordconv.0.conv1', width, width + 2, 3, 3),
        **_conv_norm('neck.coordconv.1', width, width, 3, 3),
        **_norm('decoder.norm', width), **_linear('proj.txt', width // 2 * 9 + 1, joint),
        **_conv_norm('proj.vis.1', width, width, 3, 3), **_conv_norm('proj.vis.3', width // 2, width, 3, 3),
        'proj.vis.4.weight': (width // 2, width // 2, 1, 1), 'proj.vis.4.bias': (width // 2, ),
    }
    for number in (3, 4, 5):
        shapes.update(_attention(f'neck.fusion{number}.multihead_attn', width))
    for index in range(model.decoder.num_layers):
        layer = {
            **_attention('self_attn', width), **_attention('multihead_attn', width, words),
            **_linear('ffn.0', hidden, width), **_norm('ffn.3', hidden), **_linear('ffn.4', width, hidden),
        }
        for name in ('self_attn_norm', 'cross_attn_norm', 'norm1', 'norm2', 'norm3'):
            layer.update(_norm(name, width))
        shapes.update(_below(f'decoder.layers.{index}', layer))
    return shapes


def released(config: Config) -> Dict[str, Tensor]:
    """Random weights by the keys of the released checkpoints, behind ``module.``."""
    generator = torch.Generator().manual_seed(5)
    model = config.model
    shapes = {**_below('txt_backbone', _text(model)), **_below('dinov2', _dinov2(model)), **_stages(model)}
    state = {}
    for name, shape in shapes.items():
        if name.endswith('num_batches_tracked'):
            state[name] = torch.tensor(7)
        else:
            value = 0.1 * torch.randn(shape, generator=generator)
            state[name] = value.abs() + 0.5 if name.endswith('running_var') else value
    state['txt_backbone.logit_scale'] = torch.tensor(math.log(100))
    return {f'module.{name}': value for name, value in state.items()}
