"""Our stages against CRIS written plainly, with the same random weights."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from mmris.checkpoints.published import EXCLUDED
from mmris.checkpoints.published.cris import KEY_MAP
from mmris.models.decoders import CRISDecoder
from mmris.models.heads import DynamicConvolutionHead
from mmris.models.necks import CRISNeck
from mmris.registry import MODELS
from mmris.structures import (
    EncoderOutput,
    ExpressionBatch,
    ImageFeatures,
    ImageInputs,
    ReferringInputs,
    TextFeatures,
)
from tests.conftest import assert_close
from tests.parity.plain_cris import PlainDecoder, PlainHead, PlainNeck
from tests.parity.toy_cris import OUT, our_config, plain_model, randomise

GRIDS = dict(cnn=((12, 8), (6, 4), (3, 2)), vit=((6, 4), (6, 4), (6, 4)))
ENCODERS = [
    pytest.param('cnn', dict(stages=(10, 12, 14), sentence=14, words=16), id='CLIP ResNet'),
    # ViT-L's words are wider than the decoder.
    pytest.param('vit', dict(stages=(12, 12, 10), sentence=10, words=20), id='CLIP ViT'),
]


def our_state(plain: dict, place: str) -> dict:
    """What belongs to a part of the plain model, by our keys within that part."""
    state = KEY_MAP.to_ours({f'{place}.{name}': value for name, value in plain.items()}, 'test')
    return {name.partition('.')[2]: value for name, value in state.items()}


class Stages(nn.Module):
    """Neck, decoder and head of both sides, with the same weights and no dropout."""

    def __init__(self, stages: tuple, sentence: int, words: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        width = OUT[1]
        self.plain = nn.ModuleDict(
            dict(
                neck=PlainNeck(stages, sentence, OUT),
                decoder=PlainDecoder(2, width, words, heads=4, feedforward=24),
                proj=PlainHead(width, sentence)))
        self.ours = nn.ModuleDict(
            dict(
                neck=CRISNeck(in_channels=stages, sentence_channels=sentence, out_channels=OUT),
                decoder=CRISDecoder(
                    channels=width,
                    word_channels=words,
                    num_layers=2,
                    num_heads=4,
                    feedforward_channels=24,
                    dropout=0.0),
                head=DynamicConvolutionHead(channels=width, sentence_channels=sentence)))
        randomise(self.plain)
        for ours, plain in zip(self.ours.values(), self.plain):
            ours.load_state_dict(our_state(self.plain[plain].state_dict(), plain))
        self.eval()

    def run_plain(self, encoded: EncoderOutput) -> dict:
        stages = [stage[encoded.image_index] for stage in encoded.image.stages]
        text = encoded.text
        fused = self.plain['neck'](stages, text.sentence)
        decoded = self.plain['decoder'](fused, text.words, text.token_mask)
        return dict(fused=fused, decoded=decoded, logits=self.plain['proj'](decoded, text.sentence))

    def run_ours(self, encoded: EncoderOutput) -> Tensor:
        return self.ours['head'](self.ours['decoder'](self.ours['neck'](encoded)))


def encode(grids: str, stages: tuple, sentence: int, words: int, image_index: tuple = (0, 0, 1)) -> EncoderOutput:
    """Random features of expressions of 6, 3 and 2 tokens."""
    generator = torch.Generator().manual_seed(1)
    images, expressions = max(image_index) + 1, len(image_index)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    return EncoderOutput(
        image=ImageFeatures(
            stages=tuple(draw(images, channels, *grid) for channels, grid in zip(stages, GRIDS[grids])),
            patches=torch.zeros(images, 1, sentence),
            image_global=torch.zeros(images, sentence)),
        text=TextFeatures(
            words=draw(expressions, 6, words),
            words_joint=torch.zeros(expressions, 6, sentence),
            sentence=draw(expressions, sentence),
            token_mask=torch.arange(6) < torch.tensor([6, 3, 2, 4])[:expressions, None]),
        image_index=torch.tensor(image_index))


class TestStages:

    @pytest.mark.parametrize('grids, widths', ENCODERS)
    def test_each_alone(self, grids, widths):
        """Each from what the plain stage before it gives."""
        stages, encoded = Stages(**widths), encode(grids, **widths)
        plain, fused = stages.run_plain(encoded), stages.ours['neck'](encoded)
        assert_close(fused.pixels, plain['fused'])
        decoded = stages.ours['decoder'](replace(fused, pixels=plain['fused']))
        assert_close(decoded.pixels, plain['decoded'])
        assert_close(stages.ours['head'](replace(fused, pixels=plain['decoded'])), plain['logits'])

    @pytest.mark.parametrize('image_index', [(0, 1, 2), (0, 0, 1, 1)], ids=['one each', 'two each'])
    def test_in_training(self, image_index):
        """By the statistics of the batch; gradients are compared by the map of keys, as weights are."""
        grids, widths = ENCODERS[0].values
        stages, encoded = Stages(**widths).train(), encode(grids, **widths, image_index=image_index)
        plain, ours = stages.run_plain(encoded)['logits'], stages.run_ours(encoded)
        assert_close(ours, plain)
        for logits in (plain, ours):
            logits.square().mean().backward()
        for place, part in zip(stages.plain, stages.ours.values()):
            given = {name: value.grad for name, value in stages.plain[place].named_parameters()}
            gradients = our_state(given, place)
            for name, value in part.named_parameters():
                assert_close(value.grad, gradients[name], 1e-4)

    def test_running_statistics(self):
        """What evaluation will go by, after a step of one expression an image."""
        grids, widths = ENCODERS[0].values
        stages, encoded = Stages(**widths).train(), encode(grids, **widths, image_index=(0, 1, 2))
        stages.run_plain(encoded), stages.run_ours(encoded)
        for place, part in zip(stages.plain, stages.ours.values()):
            expected = our_state(stages.plain[place].state_dict(), place)
            for name, value in part.named_buffers():
                assert_close(value, expected[name])


class TestWhole:
    """The model of configs/cris/rn50_refcoco.py, smaller, with the weights of the plain one by the map of keys."""

    @pytest.fixture
    def plain(self):
        return plain_model()

    @pytest.fixture
    def ours(self, plain):
        state = KEY_MAP.to_ours(plain.state_dict(), 'test')
        state = {name: value for name, value in state.items() if not name.startswith(EXCLUDED)}
        model = MODELS.build(our_config().model)
        model.load_state_dict({**state, 'encoder.text.quick_gelu': torch.tensor(True)})
        return model.eval()

    @pytest.mark.parametrize('size', [(64, 64), (128, 96)])
    def test_several_expressions_of_an_image(self, plain, ours, size):
        """Of different lengths, one with the word whose id is 0, also at another size than the positions are for."""
        image_index = torch.tensor([0, 0, 1])
        token_ids = torch.tensor([[58, 5, 0, 9, 59, 0, 0], [58, 3, 59, 0, 0, 0, 0], [58, 4, 4, 7, 8, 1, 59]])
        token_mask = torch.arange(7) < torch.tensor([5, 3, 7])[:, None]
        pixels = torch.randn(2, 3, *size)
        box = torch.tensor([[0.0, 0.0, size[1], size[0]]]).repeat(2, 1)
        inputs = ReferringInputs(ImageInputs(pixels, box), ExpressionBatch(token_ids, token_mask, image_index))
        with torch.no_grad():
            expected, encoded = plain(pixels[image_index], token_ids, token_mask), ours.extract_feat(inputs)
            for stage, plain_stage in zip(encoded.image.stages, expected.stages, strict=True):
                assert_close(stage[image_index], plain_stage)
            assert_close(encoded.text.words[token_mask], expected.words[token_mask])
            assert_close(encoded.text.sentence, expected.sentence)
            assert_close(ours.encode_decode(inputs), expected.logits)
