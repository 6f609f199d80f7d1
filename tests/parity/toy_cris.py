"""CRIS at a size that tests run in no time: written plainly, and as a config of ours."""

import torch
from mmengine.config import Config
from torch import nn

from tests.conftest import ROOT
from tests.parity.plain_cris import PlainCRIS

OUT = (8, 16, 20)


def randomise(module: nn.Module) -> nn.Module:
    """Weights, biases and statistics none of which is what it is initialised to, in evaluation mode."""
    generator = torch.Generator().manual_seed(0)
    for name, value in module.state_dict().items():
        if value.is_floating_point() and value.dim() < 2:
            positive = name.endswith(('running_var', 'weight'))
            value.copy_(torch.rand(value.shape, generator=generator) + (0.5 if positive else -0.5))
    return module.eval()


def plain_model() -> PlainCRIS:
    """For pixels of any multiple of 32, 60 token ids and at most 12 tokens."""
    torch.manual_seed(0)
    return randomise(
        PlainCRIS(
            blocks=(1, 2, 1, 1),
            width=4,
            joint=24,
            pool_heads=2,
            pool_grid=2,
            vocabulary=60,
            context=12,
            text_layers=2,
            text_heads=2,
            out=OUT,
            decoder_layers=2,
            decoder_heads=4,
            feedforward=24))


def released(plain: nn.Module) -> dict:
    """The weights of a plain model by the keys of released checkpoints."""
    return {f'module.{name}': value for name, value in plain.state_dict().items()}


def our_config() -> Config:
    """The same model by the config of CRIS with RN50."""
    config = Config.fromfile(ROOT / 'configs/cris/rn50_refcoco.py')
    towers = dict(
        embed_dim=24,
        vision_cfg=dict(layers=[1, 2, 1, 1], width=4, head_width=64, image_size=64),
        text_cfg=dict(context_length=12, vocab_size=60, width=16, heads=2, layers=2))
    config.model.encoder.update(architecture=towers, pretrained=None)
    config.model.neck.update(in_channels=(32, 64, 24), sentence_channels=24, out_channels=OUT)
    config.model.decoder.update(channels=16, word_channels=16, num_layers=2, num_heads=4, feedforward_channels=24)
    config.model.head.update(channels=16, sentence_channels=24)
    return config
