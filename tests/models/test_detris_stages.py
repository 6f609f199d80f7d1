"""DETRIS's neck against the published attention, and the sizes of what follows its encoder."""

import pytest
import torch
from torch import nn

from mmris.models.decoders import CRISDecoder
from mmris.models.heads import DynamicConvolutionHead
from mmris.models.necks import ETRISNeck
from tests.conftest import assert_close
from tests.models.test_cris_stages import encoded, parameters

CHANNELS, SENTENCE, WIDTH = (5, 6, 7), 9, 16


def neck() -> ETRISNeck:
    """With no weight left where it starts."""
    torch.manual_seed(0)
    built = ETRISNeck(in_channels=CHANNELS, sentence_channels=SENTENCE, channels=WIDTH).eval()
    with torch.no_grad():
        for name, value in built.state_dict().items():
            if value.is_floating_point():
                value.uniform_(0.5, 1.5) if name.endswith('running_var') else value.normal_(0, 0.3)
    return built


class TestNeck:

    def test_against_attention_over_the_sentence(self):
        """Queries and keys are drawn at random: they decide nothing."""
        mine, inputs = neck().double(), encoded(CHANNELS, SENTENCE, ((6, 4), ) * 3).map(
            lambda value: value.double() if value.is_floating_point() else value)
        key = mine.sentence_projection(inputs.text.sentence)[:, None]
        levels = []
        for stage, projection, (value, out) in zip(inputs.image.stages, mine.stage_projections, mine.factors):
            attention = nn.MultiheadAttention(WIDTH, 4, batch_first=True).double()
            with torch.no_grad():
                attention.in_proj_weight[2 * WIDTH:].copy_(value.weight)
                attention.in_proj_bias[2 * WIDTH:].copy_(value.bias)
                attention.out_proj.load_state_dict(out.state_dict())
            pixels = projection(stage)[inputs.image_index].flatten(2).transpose(1, 2)
            fused = pixels * attention(pixels, key, key)[0]
            levels.append(fused.transpose(1, 2).unflatten(2, (6, 4)))
        aggregated = mine.aggregate(torch.cat(levels, dim=1))
        x = torch.linspace(-1, 1, 4, dtype=torch.float64).expand(3, 1, 6, 4)
        y = torch.linspace(-1, 1, 6, dtype=torch.float64)[:, None].expand(3, 1, 6, 4)
        expected = aggregated + mine.coordinates[1](mine.coordinates[0](torch.cat((aggregated, x, y), dim=1)))
        found = mine(inputs)
        assert_close(found.pixels, expected)
        assert found.sentence is inputs.text.sentence and found.words is inputs.text.words

    def test_starts_as_the_published_attention(self):
        torch.manual_seed(0)
        built = ETRISNeck(in_channels=CHANNELS, sentence_channels=SENTENCE, channels=256)
        theirs = nn.MultiheadAttention(256, 8)
        for value, out in built.factors:
            assert value.weight.std().item() == pytest.approx(theirs.in_proj_weight.std().item(), rel=0.02)
            assert out.weight.std().item() == pytest.approx(theirs.out_proj.weight.std().item(), rel=0.02)
            assert not value.bias.any() and not out.bias.any()

    def test_what_does_not_see_the_sentence_runs_once_an_image(self):
        built, rows = neck(), []
        for projection in built.stage_projections:
            projection.register_forward_hook(lambda module, inputs, output: rows.append(len(output)))
        built(encoded(CHANNELS, SENTENCE, ((6, 4), ) * 3))
        assert rows == [2, 2, 2]

    def test_wrong_stages(self):
        with pytest.raises(ValueError, match=r'ETRISNeck fuses three stages: in_channels .* but got \(5, 6\)'):
            ETRISNeck(in_channels=(5, 6), sentence_channels=9)
        with pytest.raises(ValueError, match='ETRISNeck takes three stages, but the encoder gave 2: set its taps'):
            neck()(encoded((5, 6), SENTENCE, ((6, 4), ) * 2))
        with pytest.raises(ValueError, match='stages of one grid, .* but got 12 x 8, 6 x 4, 6 x 4. .* take CRISNeck'):
            neck()(encoded(CHANNELS, SENTENCE, ((12, 8), (6, 4), (6, 4))))

    @pytest.mark.parametrize('channels, sentence, message', [
        ((5, 6, 8), 9, r'in_channels of ETRISNeck is \(5, 6, 7\), .* set in_channels=\(5, 6, 8\)'),
        (CHANNELS, 4, 'sentence_channels of ETRISNeck is 9, .* set sentence_channels=4'),
    ])
    def test_other_widths(self, channels, sentence, message):
        with pytest.raises(ValueError, match=message):
            neck()(encoded(channels, sentence, ((6, 4), ) * 3))


@pytest.mark.parametrize('width, millions', [(768, 8.54), (1024, 8.93)])
def test_sizes(width, millions):
    """Of the published method, less its dead queries and keys."""
    with torch.device('meta'):
        built = ETRISNeck(in_channels=(width, ) * 3, sentence_channels=512)
        decoder, head = CRISDecoder(feedforward_channels=512), DynamicConvolutionHead()
    assert parameters(built) / 1e6 == pytest.approx(millions, abs=0.005)
    assert parameters(decoder) / 1e6 == pytest.approx(7.90, abs=0.005)
    assert parameters(head) / 1e6 == pytest.approx(4.79, abs=0.005)
