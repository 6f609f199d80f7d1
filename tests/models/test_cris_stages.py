"""Neck, decoder and head of CRIS: their sizes and their contract; what they compute is compared in tests/parity."""

import pytest
import torch
from torch import nn

from mmris.models.decoders import CRISDecoder
from mmris.models.heads import DynamicConvolutionHead
from mmris.models.layers import sine_position_1d, sine_position_2d
from mmris.models.necks import CRISNeck, cris_neck
from mmris.structures import EncoderOutput, FusedFeatures, ImageFeatures, TextFeatures


def parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def encoded(channels, sentence, grids):
    """Two images with three expressions."""
    return EncoderOutput(
        image=ImageFeatures(
            stages=tuple(torch.randn(2, width, *grid) for width, grid in zip(channels, grids)),
            patches=torch.zeros(2, 1, sentence),
            image_global=torch.zeros(2, sentence)),
        text=TextFeatures(
            words=torch.randn(3, 6, 40),
            words_joint=torch.zeros(3, 6, sentence),
            sentence=torch.randn(3, sentence),
            token_mask=torch.ones(3, 6, dtype=torch.bool)),
        image_index=torch.tensor([0, 0, 1]))


def fused(pixels, words, sentence):
    return FusedFeatures(
        pixels=torch.randn(3, pixels, 6, 4),
        words=torch.randn(3, 6, words),
        sentence=torch.randn(3, sentence),
        token_mask=torch.ones(3, 6, dtype=torch.bool))


class TestSizes:
    """Millions of parameters of the published method; the ViTs' by the method's own description."""

    @pytest.mark.parametrize('channels, sentence, millions', [
        ((768, 768, 512), 512, 22.50),
        ((1024, 1024, 768), 768, 24.80),
        ((512, 1024, 512), 512, 23.09),
        ((512, 1024, 1024), 1024, 24.14),
        ((768, 768, 768), 768, 23.03),
        ((768, 768, 768), 512, 22.77),
    ])
    def test_neck(self, channels, sentence, millions):
        with torch.device('meta'):
            neck = CRISNeck(in_channels=channels, sentence_channels=sentence)
        assert parameters(neck) / 1e6 == pytest.approx(millions, abs=0.005)

    def test_decoder(self):
        with torch.device('meta'):
            assert parameters(CRISDecoder()) / 1e6 == pytest.approx(12.63, abs=0.005)

    @pytest.mark.parametrize('sentence, millions', [(512, 4.79), (768, 5.38), (1024, 5.97)])
    def test_head(self, sentence, millions):
        with torch.device('meta'):
            head = DynamicConvolutionHead(sentence_channels=sentence)
        assert parameters(head) / 1e6 == pytest.approx(millions, abs=0.005)


class TestNeck:

    def test_what_does_not_see_the_sentence_runs_once_an_image(self):
        neck = CRISNeck(in_channels=(5, 6, 7), sentence_channels=9, out_channels=(4, 8, 12)).eval()
        rows = []
        for projection in neck.stage_projections:
            projection.register_forward_hook(lambda module, inputs, output: rows.append(len(output)))
        neck(encoded((5, 6, 7), 9, ((6, 4), ) * 3))
        assert rows == [2, 2, 2]

    def test_wrong_stages(self):
        with pytest.raises(ValueError, match='CRISNeck fuses three stages'):
            CRISNeck(in_channels=(5, 6), sentence_channels=9)
        neck = CRISNeck(in_channels=(5, 6, 7), sentence_channels=9, out_channels=(4, 8, 12))
        with pytest.raises(ValueError, match='CRISNeck takes three stages, but the encoder gave 2'):
            neck(encoded((5, 6), 9, ((6, 4), ) * 2))
        with pytest.raises(ValueError, match='half, equal or double .* but got 5 x 4 beside 6 x 4'):
            neck(encoded((5, 6, 7), 9, ((5, 4), (6, 4), (6, 4))))


    @pytest.mark.parametrize('channels, sentence, message', [
        ((5, 6, 8), 9, r"in_channels of CRISNeck is \(5, 6, 7\), but the width of the encoder's stages is \(5, 6, 8\): "
         r'set in_channels=\(5, 6, 8\)'),
        ((5, 6, 7), 4, "sentence_channels of CRISNeck is 9, but the width of the encoder's sentence is 4: "
         'set sentence_channels=4'),
    ])
    def test_other_widths(self, channels, sentence, message):
        neck = CRISNeck(in_channels=[5, 6, 7], sentence_channels=9, out_channels=(4, 8, 12))
        with pytest.raises(ValueError, match=message):
            neck(encoded(channels, sentence, ((6, 4), ) * 3))


class TestOneExpression:
    """A batch of one has no variance to normalise by."""

    @pytest.fixture
    def one(self):
        return encoded((5, 6, 7), 9, ((6, 4), ) * 3).select(torch.tensor([1]))

    @pytest.fixture
    def neck(self):
        return CRISNeck(in_channels=(5, 6, 7), sentence_channels=9, out_channels=(4, 8, 12))

    def test_alone(self, neck, one):
        message = ('CRISNeck normalises sentences over the batch: training takes at least 2 expressions a batch, but '
                   r'got 1: raise train_dataloader.batch_size or expressions_per_image \(and lower --accumulate\)')
        with pytest.raises(ValueError, match=message):
            neck(one)
        with pytest.raises(ValueError, match=message):
            nn.SyncBatchNorm.convert_sync_batchnorm(neck)(one)

    def test_in_evaluation(self, neck, one):
        assert neck.eval()(one).pixels.shape == (1, 8, 6, 4)

    def test_synchronised(self, neck, one, monkeypatch):
        """Then the others' count. SyncBatchNorm itself takes GPUs: only that it is reached can be seen here."""
        monkeypatch.setattr(cris_neck, 'get_world_size', lambda: 2)
        with pytest.raises(ValueError, match='CRISNeck normalises'):
            neck(one)
        neck = nn.SyncBatchNorm.convert_sync_batchnorm(neck)
        reached = []
        neck.sentence_projection[1].forward = lambda sentence: reached.append(len(sentence)) or sentence
        for norm in neck.modules():
            if isinstance(norm, nn.SyncBatchNorm) and norm is not neck.sentence_projection[1]:
                norm.eval()
        neck(one)
        assert reached == [1]


class TestDecoder:

    @pytest.mark.parametrize('pixels, words, message', [
        (16, 40, "channels of CRISDecoder is 8, but the width of the neck's pixels is 16: set channels=16"),
        (8, 24, 'word_channels of CRISDecoder is 40, but the width of the words is 24: set word_channels=24'),
    ])
    def test_other_widths(self, pixels, words, message):
        decoder = CRISDecoder(channels=8, word_channels=40, num_heads=2, feedforward_channels=8)
        with pytest.raises(ValueError, match=f'^{message}'):
            decoder(fused(pixels, words, 9))

    def test_channels_that_positions_do_not_fit(self):
        with pytest.raises(ValueError, match='divisible by 4, but got 6'):
            sine_position_2d(4, 5, 6, torch.zeros(1))
        with pytest.raises(ValueError, match='must be even, but got 5'):
            sine_position_1d(4, 5, torch.zeros(1))

    def test_heads_that_do_not_divide(self):
        with pytest.raises(ValueError, match=r'channels \(10\) of CRISDecoder must be divisible by num_heads \(4\)'):
            CRISDecoder(channels=10, num_heads=4)


class TestHead:

    @pytest.mark.parametrize('pixels, sentence, message', [
        (16, 9, 'channels of DynamicConvolutionHead is 8, but the width of the pixels is 16: set channels=16'),
        (8, 4, 'sentence_channels of DynamicConvolutionHead is 9, but the width of the sentence is 4: '
         'set sentence_channels=4'),
    ])
    def test_other_widths(self, pixels, sentence, message):
        head = DynamicConvolutionHead(channels=8, sentence_channels=9)
        with pytest.raises(ValueError, match=f'^{message}'):
            head(fused(pixels, 40, sentence))
