"""Parameters and multiply-adds of Shared-RIS's stages at its size, beside the figures that the paper gives."""

from typing import Any, Tuple

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mmris.models.decoders import SharedMaskDecoder
from mmris.models.heads import SimilarityHead
from mmris.models.necks import ProjectionNeck, PWAMNeck, SharedFPN
from mmris.structures import EncoderOutput, FusedFeatures, ImageFeatures, TextFeatures

# 480 x 480 pixels in patches of 16, and 20 tokens: with the class token a sequence of 921.
GRID, TOKENS, WIDTH, CHANNELS = 30, 20, 768, 512
# What a model without FPN needs all the same.
PROJECTION = (1 + GRID * GRID + TOKENS) * WIDTH * CHANNELS / 1e9


def encoded(stages: int) -> EncoderOutput:
    return EncoderOutput(
        image=ImageFeatures(
            stages=(torch.empty(1, WIDTH, GRID, GRID), ) * stages,
            patches=torch.empty(1, GRID * GRID, WIDTH),
            image_global=torch.empty(1, WIDTH),
            class_stages=(torch.empty(1, WIDTH), ) * stages),
        text=TextFeatures(
            words=torch.empty(1, TOKENS, WIDTH),
            words_joint=torch.empty(1, TOKENS, WIDTH),
            sentence=torch.empty(1, WIDTH),
            token_mask=torch.ones(1, TOKENS, dtype=torch.bool),
            stages=(torch.empty(1, TOKENS, WIDTH), ) * stages),
        image_index=torch.zeros(1, dtype=torch.int64))


def fused() -> FusedFeatures:
    return FusedFeatures(
        pixels=torch.empty(1, CHANNELS, GRID, GRID),
        words=torch.empty(1, TOKENS, CHANNELS),
        sentence=torch.empty(1, CHANNELS),
        token_mask=torch.ones(1, TOKENS, dtype=torch.bool),
        class_token=torch.empty(1, CHANNELS))


def cost(features: Any, *modules: nn.Module) -> Tuple[float, float]:
    """Parameters in millions and multiply-adds in billions, of modules in turn."""
    with FlopCounterMode(display=False) as counter:
        for module in modules:
            features = module.eval()(features)
    parameters = sum(parameter.numel() for module in modules for parameter in module.parameters())
    return parameters / 1e6, counter.get_total_flops() / 2e9


@pytest.fixture(autouse=True)
def on_meta():
    with torch.device('meta'):
        yield


@pytest.mark.parametrize('stages, millions, as_printed, billions, paper', [
    (4, 8.41, 6.83, 9.4, (8, 9)),
    (3, 6.30, 5.12, 7.0, (6, 7)),
    (2, 4.20, 3.42, 4.5, (4, 5)),
])
def test_fpn(stages, millions, as_printed, billions, paper):
    """Table VII a; with one projection for both modalities, eq. 6 as printed."""
    features, in_channels = encoded(stages), (WIDTH, ) * stages
    parameters, products = cost(features, SharedFPN(in_channels=in_channels))
    assert parameters == pytest.approx(millions, rel=0.01)
    assert products - PROJECTION == pytest.approx(billions, rel=0.01)
    assert (round(parameters), round(products - PROJECTION)) == paper
    shared = cost(features, SharedFPN(in_channels=in_channels, shared_projections=True))
    assert shared == pytest.approx((as_printed, products), rel=0.01)


@pytest.mark.parametrize('layers, millions, billions, paper', [
    (0, 5.51, 46.3, 46),
    (1, 8.66, 50.1, 50),
    (2, 11.81, 53.9, 54),
    (3, 14.97, 57.6, 58),
])
def test_decoder_and_head(layers, millions, billions, paper):
    """Table VIII a."""
    parameters, products = cost(fused(), SharedMaskDecoder(num_layers=layers), SimilarityHead())
    assert parameters == pytest.approx(millions, rel=0.01)
    assert products == pytest.approx(billions, rel=0.01)
    assert round(products) == paper


def test_no_fpn():
    assert cost(encoded(4), ProjectionNeck(in_channels=WIDTH)) == pytest.approx((0.3937, PROJECTION), rel=1e-4)


@pytest.mark.parametrize('fusion, neck, decoder', [
    ('cross_attention', (8.4, 4.1), (8.7, 48.6)),
    ('bidirectional', (37.8, 22.0), (13.9, 51.2)),
])
def test_other_fusions(fusion, neck, decoder):
    """Tables VII b and VIII b, as the modules document them."""
    parameters, products = cost(encoded(4), SharedFPN(in_channels=(WIDTH, ) * 4, fusion=fusion))
    assert (parameters, products - PROJECTION) == pytest.approx(neck, abs=0.05)
    assert cost(fused(), SharedMaskDecoder(fusion=fusion), SimilarityHead()) == pytest.approx(decoder, abs=0.05)


def test_pixel_word_attention():
    """Table IV, as the module documents it."""
    parameters, products = cost(encoded(4), PWAMNeck(in_channels=(WIDTH, ) * 4))
    assert (parameters, products - PROJECTION) == pytest.approx((14.4, 8.6), abs=0.05)
