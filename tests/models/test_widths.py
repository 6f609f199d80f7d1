"""Stages that do not fit what comes to them: told by the argument that is wrong, before torch says it its way."""

import pytest
import torch
from mmengine.registry import init_default_scope

from mmris.registry import MODELS
from mmris.structures import EncoderOutput, FusedFeatures, ImageFeatures, TextFeatures


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmris')


def encoded(image: int = 8, words: int = 8) -> EncoderOutput:
    """Two stages of image and words."""
    stages = (torch.rand(1, image, 4, 4), torch.rand(1, image, 4, 4))
    texts = (torch.rand(1, 3, words), torch.rand(1, 3, words))
    token_mask = torch.ones(1, 3, dtype=torch.bool)
    return EncoderOutput(
        image=ImageFeatures(stages=stages, patches=torch.rand(1, 8, 4, 4), image_global=torch.rand(1, 8)),
        text=TextFeatures(
            words=texts[-1],
            words_joint=torch.rand(1, 3, 8),
            sentence=torch.rand(1, 8),
            token_mask=token_mask,
            stages=texts),
        image_index=torch.zeros(1, dtype=torch.int64))


def fused(pixels: int = 8, words: int = 8, stages: int = 8) -> FusedFeatures:
    return FusedFeatures(
        pixels=torch.rand(1, pixels, 4, 4),
        words=torch.rand(1, 3, words),
        sentence=torch.rand(1, 8),
        token_mask=torch.ones(1, 3, dtype=torch.bool),
        stages=(torch.rand(1, stages, 4, 4), torch.rand(1, stages, 4, 4)))


STAGES = {
    'SharedFPN': dict(in_channels=(8, 8), channels=8, num_heads=2),
    'PWAMNeck': dict(in_channels=(8, 8), channels=8),
    'ProjectionNeck': dict(in_channels=8, channels=8),
    'SharedMaskDecoder': dict(channels=8, num_heads=2),
    'LAVTDecoder': dict(in_channels=(8, 8), channels=8),
    'ProgressiveDecoder': dict(in_channels=8, channels=(8, )),
    'ConvolutionHead': dict(channels=8),
}


@pytest.mark.parametrize('name, features, message', [
    ('SharedFPN', encoded(image=6), r'in_channels of SharedFPN is \(8, 8\), but the width of the image in the '
     r'encoder.s stages is \(6, 6\): set in_channels=\(6, 6\)'),
    ('SharedFPN', encoded(words=6), r'the width of the words in the encoder.s stages is \(6, 6\)'),
    ('PWAMNeck', encoded(image=6), r'in_channels of PWAMNeck is \(8, 8\), but the width of the image'),
    ('ProjectionNeck', encoded(image=6), 'in_channels of ProjectionNeck is 8, but the width of the encoder.s last '
     'stage is 6'),
    ('ProjectionNeck', encoded(words=6), 'in_channels of ProjectionNeck is 8, but the width of the words is 6'),
    ('SharedMaskDecoder', fused(pixels=6), 'channels of SharedMaskDecoder is 8, but the width of the pixels is 6'),
    ('SharedMaskDecoder', fused(words=6), 'word_channels of SharedMaskDecoder is 8, but the width of the words is 6'),
    ('LAVTDecoder', fused(stages=6), r'in_channels of LAVTDecoder is \(8, 8\), but the width of the stages is \(6'),
    ('ProgressiveDecoder', fused(pixels=6), 'in_channels of ProgressiveDecoder is 8, but the width of the pixels is 6'),
    ('ConvolutionHead', fused(pixels=6), 'channels of ConvolutionHead is 8, but the width of the pixels is 6'),
])
def test_another_width(name, features, message):
    stage = MODELS.build(dict(type=name, **STAGES[name]))
    stage(encoded() if isinstance(features, EncoderOutput) else fused())
    with pytest.raises(ValueError, match=message):
        stage(features)


def test_words_of_their_own_width():
    decoder = MODELS.build(dict(type='SharedMaskDecoder', word_channels=6, **STAGES['SharedMaskDecoder']))
    assert decoder(fused(words=6)).words.shape == (1, 3, 8)
