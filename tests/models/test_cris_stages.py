"""Neck, decoder and head of CRIS: their sizes, and plain references written from the method's numbers."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from mmris.models.decoders import CRISDecoder
from mmris.models.heads import DynamicConvolutionHead
from mmris.models.heads.dynamic_convolution_head import dynamic_convolution
from mmris.models.layers import sine_position_1d, sine_position_2d
from mmris.models.necks import CRISNeck
from mmris.structures import EncoderOutput, FusedFeatures, ImageFeatures, TextFeatures


def parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def encoded(channels, sentence, grids, images=2, image_index=(0, 0, 1), words=40):
    generator = torch.Generator().manual_seed(0)
    count = len(image_index)
    return EncoderOutput(
        image=ImageFeatures(
            stages=tuple(torch.randn(images, c, *grid, generator=generator) for c, grid in zip(channels, grids)),
            patches=torch.zeros(images, 1, sentence),
            image_global=torch.zeros(images, sentence)),
        text=TextFeatures(
            words=torch.randn(count, 6, words, generator=generator),
            words_joint=torch.zeros(count, 6, sentence),
            sentence=torch.randn(count, sentence, generator=generator),
            token_mask=torch.arange(6) < torch.tensor([6, 3, 2])[:count, None]),
        image_index=torch.tensor(image_index))


class TestSizes:
    """Millions of parameters of the published method; the ViTs' by the method's own description."""

    @pytest.mark.parametrize('channels, sentence, millions', [
        ((768, 768, 512), 512, 22.50),
        ((1024, 1024, 768), 768, 24.80),
        ((512, 1024, 512), 512, 23.09),
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

    @pytest.mark.parametrize('sentence, millions', [(512, 4.79), (768, 5.38)])
    def test_head(self, sentence, millions):
        with torch.device('meta'):
            head = DynamicConvolutionHead(sentence_channels=sentence)
        assert parameters(head) / 1e6 == pytest.approx(millions, abs=0.005)


def cbr(state, prefix, x, linear=False):
    """Convolution (or linear map), BatchNorm by running statistics, ReLU, by hand."""
    weight = state[f'{prefix}.0.weight']
    x = F.linear(x, weight) if linear else F.conv2d(x, weight, padding=weight.size(-1) // 2)
    return torch.relu(batch_norm(state, f'{prefix}.1', x))


def batch_norm(state, prefix, x):
    shape = (1, -1) + (1, ) * (x.dim() - 2)
    mean, variance, weight, bias = (
        state[f'{prefix}.{name}'].view(shape) for name in ('running_mean', 'running_var', 'weight', 'bias'))
    return (x - mean) / torch.sqrt(variance + 1e-5) * weight + bias


def randomise_statistics(module):
    generator = torch.Generator().manual_seed(1)
    for name, buffer in module.named_buffers():
        if name.endswith(('running_mean', 'running_var')):
            buffer.copy_(torch.rand(buffer.shape, generator=generator) + 0.5)
    return module.eval()


class TestNeck:

    @pytest.mark.parametrize('grids', [((6, 4), ) * 3, ((12, 8), (6, 4), (3, 2))], ids=['ViT', 'CNN'])
    def test_against_a_plain_reference(self, grids):
        torch.manual_seed(0)
        neck = randomise_statistics(CRISNeck(in_channels=(5, 6, 7), sentence_channels=9, out_channels=(4, 8, 12)))
        given = encoded((5, 6, 7), 9, grids)
        state = neck.state_dict()
        c3, c4, c5 = (stage[given.image_index] for stage in given.image.stages)

        def up(x):
            return x if grids[2] == grids[1] else F.interpolate(x, scale_factor=2, mode='bilinear')

        sentence = cbr(state, 'sentence_projection', given.text.sentence, linear=True)[:, :, None, None]
        f5 = torch.relu(batch_norm(state, 'sentence_norm.0', cbr(state, 'stage_projections.2', c5) * sentence))
        f4 = cbr(state, 'fuse_middle', torch.cat([cbr(state, 'stage_projections.1', c4), up(f5)], 1))
        f3 = cbr(state, 'stage_projections.0', c3)
        f3 = f3 if grids[0] == grids[1] else F.avg_pool2d(f3, 2)
        f3 = cbr(state, 'fuse_shallow', torch.cat([f3, f4], 1))
        levels = [cbr(state, f'level_projections.{i}', f) for i, f in enumerate((f3, f4, f5))]
        fused = cbr(state, 'aggregate', torch.cat([levels[0], levels[1], up(levels[2])], 1))
        y, x = torch.meshgrid(torch.linspace(-1, 1, 6), torch.linspace(-1, 1, 4), indexing='ij')
        fused = torch.cat([fused, x.expand(3, 1, 6, 4), y.expand(3, 1, 6, 4)], 1)
        expected = cbr(state, 'coordinates.1', cbr(state, 'coordinates.0', fused))

        output = neck(given)
        assert output.pixels.shape == (3, 8, 6, 4)
        assert torch.allclose(output.pixels, expected, atol=1e-5)
        assert output.words is given.text.words and output.sentence is given.text.sentence

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


def attention(state, prefix, query, key, value, heads, padding=None):
    """Multi-head attention by hand, from the parameters of ``nn.MultiheadAttention``."""
    width = query.size(-1)
    if f'{prefix}.in_proj_weight' in state:
        weights = state[f'{prefix}.in_proj_weight'].chunk(3)
    else:
        weights = [state[f'{prefix}.{name}_proj_weight'] for name in 'qkv']
    biases = state[f'{prefix}.in_proj_bias'].chunk(3)
    query, key, value = (
        F.linear(x, w, b).unflatten(-1, (heads, -1)).transpose(1, 2)
        for x, w, b in zip((query, key, value), weights, biases))
    scores = query @ key.transpose(-1, -2) / (width // heads)**0.5
    if padding is not None:
        scores = scores.masked_fill(padding[:, None, None], float('-inf'))
    mixed = (scores.softmax(-1) @ value).transpose(1, 2).flatten(2)
    return F.linear(mixed, state[f'{prefix}.out_proj.weight'], state[f'{prefix}.out_proj.bias'])


class TestDecoder:

    def test_against_a_plain_reference(self):
        torch.manual_seed(0)
        decoder = CRISDecoder(channels=16, word_channels=10, num_layers=2, num_heads=4, feedforward_channels=24).eval()
        state = decoder.state_dict()
        given = self.fused()

        def norm(name, x):
            return F.layer_norm(x, (x.size(-1), ), state[f'{name}.weight'], state[f'{name}.bias'])

        pixels = given.pixels.flatten(2).transpose(1, 2)
        pixel_position, word_position = sine_position_2d(3, 5, 16, pixels), sine_position_1d(6, 10, pixels)
        for layer in range(2):
            at = f'layers.{layer}'
            y = norm(f'{at}.self_norm_in', pixels)
            y = attention(state, f'{at}.self_attention', y + pixel_position, y + pixel_position, y, 4)
            pixels = pixels + norm(f'{at}.self_norm_out', y)
            y = norm(f'{at}.cross_norm_in', pixels) + pixel_position
            y = attention(state, f'{at}.cross_attention', y, given.words + word_position, given.words, 4,
                          ~given.token_mask)
            pixels = pixels + norm(f'{at}.cross_norm_out', y)
            y = norm(f'{at}.feedforward_norm', pixels)
            y = torch.relu(F.linear(y, state[f'{at}.feedforward.0.weight'], state[f'{at}.feedforward.0.bias']))
            y = norm(f'{at}.feedforward.3', y)
            pixels = pixels + F.linear(y, state[f'{at}.feedforward.4.weight'], state[f'{at}.feedforward.4.bias'])
        expected = norm('norm', pixels).transpose(1, 2).reshape(3, 16, 3, 5)
        assert torch.allclose(decoder(given).pixels, expected, atol=1e-5)

    def test_padding_changes_nothing(self):
        decoder = CRISDecoder(channels=16, word_channels=10, num_layers=1, num_heads=4, feedforward_channels=24).eval()
        given = self.fused()
        other = replace(given, words=torch.where(given.token_mask[..., None], given.words, 99.0))
        assert torch.equal(decoder(given).pixels, decoder(other).pixels)

    def test_positions(self):
        """Rows of equal column share the first half, columns of equal row the second."""
        position = sine_position_2d(4, 5, 8, torch.zeros(1)).view(4, 5, 8)
        assert torch.equal(position[0, :, :4], position[3, :, :4])
        assert torch.equal(position[:, 0, 4:], position[:, 4, 4:])
        assert torch.allclose(position[0, 3, :2], torch.tensor([3.0]).sin().repeat(2) * torch.tensor([1.0, 0]) +
                              torch.tensor([3.0]).cos().repeat(2) * torch.tensor([0, 1.0]))
        with pytest.raises(ValueError, match='divisible by 4, but got 6'):
            sine_position_2d(4, 5, 6, torch.zeros(1))

    def test_heads_that_do_not_divide(self):
        with pytest.raises(ValueError, match=r'channels \(10\) of CRISDecoder must be divisible by num_heads \(4\)'):
            CRISDecoder(channels=10, num_heads=4)

    @staticmethod
    def fused() -> FusedFeatures:
        given = encoded((5, 6, 7), 9, ((3, 5), ) * 3, words=10)
        return FusedFeatures(
            pixels=torch.randn(3, 16, 3, 5), words=given.text.words, sentence=given.text.sentence,
            token_mask=given.text.token_mask)


class TestHead:

    def test_dynamic_convolution_is_a_grouped_convolution(self):
        pixels, kernel = torch.randn(3, 7, 6, 5), torch.randn(3, 7, 3, 3)
        expected = F.conv2d(pixels.reshape(1, 21, 6, 5), kernel, padding=1, groups=3).transpose(0, 1)
        assert torch.allclose(dynamic_convolution(pixels, kernel), expected, atol=1e-4)

    def test_each_sentence_acts_on_its_own_pixels(self):
        head = DynamicConvolutionHead(channels=8, sentence_channels=9).eval()
        fused = FusedFeatures(torch.randn(3, 8, 4, 4), torch.zeros(3, 1, 1), torch.randn(3, 9), torch.ones(3, 1) > 0)
        logits = head(fused)
        assert logits.shape == (3, 1, 16, 16)
        changed = replace(fused, sentence=torch.cat((fused.sentence[:2], torch.randn(1, 9))))
        assert torch.equal(head(changed)[:2], logits[:2]) and not torch.allclose(head(changed)[2], logits[2])
