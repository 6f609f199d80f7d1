"""Shared-RIS's neck, decoder and head, and what its ablations put in their place, against the equations."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn

from mmris.models.decoders import SharedMaskDecoder
from mmris.models.heads import SimilarityHead
from mmris.models.layers import FUSIONS, BiAttention, FusionLayer, MultiHeadAttention
from mmris.models.necks import CRISNeck, ProjectionNeck, PWAMNeck, SharedFPN
from mmris.structures import EncoderOutput, FusedFeatures, ImageFeatures, TextFeatures
from tests.conftest import assert_close
from tests.models import plain_shared

# Of the encoder's stages, and of all that follows; every stage is as wide.
WIDTH, CHANNELS, HEADS = 20, 16, 4
GRID, LENGTHS = (3, 5), (7, 4, 6)
EXPRESSIONS = range(len(LENGTHS))


def encoded(stages: int = 3, class_token: bool = True) -> EncoderOutput:
    """Three expressions of unlike lengths; the last two are about the first image."""
    words, count = max(LENGTHS), range(stages)
    return EncoderOutput(
        image=ImageFeatures(
            stages=tuple(torch.randn(2, WIDTH, *GRID) for _ in count),
            patches=torch.randn(2, GRID[0] * GRID[1], 9),
            image_global=torch.randn(2, 9),
            class_stages=tuple(torch.randn(2, WIDTH) for _ in count) if class_token else ()),
        text=TextFeatures(
            words=torch.randn(3, words, WIDTH),
            words_joint=torch.randn(3, words, 9),
            sentence=torch.randn(3, 9),
            token_mask=torch.arange(words) < torch.tensor(LENGTHS)[:, None],
            stages=tuple(torch.randn(3, words, WIDTH) for _ in count)),
        image_index=torch.tensor([1, 0, 0]))


def fused(class_token: bool = True, word_channels: int = CHANNELS) -> FusedFeatures:
    return FusedFeatures(
        pixels=torch.randn(3, CHANNELS, *GRID),
        words=torch.randn(3, max(LENGTHS), word_channels),
        sentence=torch.randn(3, CHANNELS),
        token_mask=torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None],
        class_token=torch.randn(3, CHANNELS) if class_token else None)


def randomised(module: nn.Module) -> nn.Module:
    """In evaluation, with no weight left where it starts: norms would do nothing there."""
    with torch.no_grad():
        for name, value in module.state_dict().items():
            if name.endswith('running_var'):
                value.uniform_(0.5, 2)
            elif value.is_floating_point():
                value.normal_(0, 0.3)
    return module.eval()


FPN = partial(SharedFPN, in_channels=(WIDTH, ) * 3, channels=CHANNELS, num_heads=HEADS)
NECKS = {
    **{fusion: partial(FPN, fusion=fusion) for fusion in FUSIONS},
    'no fpn': partial(ProjectionNeck, in_channels=WIDTH, channels=CHANNELS),
    'pwam': partial(PWAMNeck, in_channels=(WIDTH, ) * 3, channels=CHANNELS),
    'cris': partial(CRISNeck, in_channels=(WIDTH, ) * 3, sentence_channels=9, out_channels=(8, CHANNELS, 24)),
}
# These leave the words to the encoder, in its width.
WIDE_WORDS = ('pwam', 'cris')


class Stages(nn.Sequential):
    """Neck, decoder and head."""

    def __init__(self, neck: str, fusion: str = 'self_attention', num_layers: int = 1) -> None:
        decoder = SharedMaskDecoder(
            channels=CHANNELS,
            word_channels=WIDTH if neck in WIDE_WORDS else None,
            num_layers=num_layers,
            num_heads=HEADS,
            fusion=fusion)
        super().__init__(NECKS[neck](), decoder, SimilarityHead(channels=CHANNELS))


every_model = pytest.mark.parametrize('neck, fusion, num_layers', [
    *((fusion, fusion, 1) for fusion in FUSIONS),
    ('self_attention', 'self_attention', 0),
    ('no fpn', 'self_attention', 2),
    ('pwam', 'self_attention', 1),
    ('cris', 'self_attention', 1),
])


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


class TestEquations:

    @pytest.mark.parametrize('class_token', [True, False])
    @pytest.mark.parametrize('shared_projections', [True, False])
    @pytest.mark.parametrize('fusion', FUSIONS)
    def test_fpn(self, fusion, shared_projections, class_token):
        neck = randomised(NECKS[fusion](shared_projections=shared_projections))
        features = encoded(class_token=class_token)
        mine = neck(features)
        assert torch.equal(mine.token_mask, features.text.token_mask)
        assert torch.equal(mine.sentence, mine.words[:, 0])
        assert (mine.class_token is not None) == class_token
        for one in EXPRESSIONS:
            image, words = plain_shared.fpn(neck.state_dict(), features, one, fusion, HEADS)
            assert_close(plain_shared.image_tokens(mine, one), image)
            assert_close(mine.words[one, :LENGTHS[one]], words)

    @pytest.mark.parametrize('class_token', [True, False])
    @pytest.mark.parametrize('word_channels', [None, WIDTH])
    @pytest.mark.parametrize('num_layers', [0, 1, 2])
    @pytest.mark.parametrize('fusion', FUSIONS)
    def test_decoder(self, fusion, num_layers, word_channels, class_token):
        decoder = randomised(
            SharedMaskDecoder(
                channels=CHANNELS,
                word_channels=word_channels,
                num_layers=num_layers,
                num_heads=HEADS,
                mlp_ratio=3,
                fusion=fusion))
        features = fused(class_token, word_channels or CHANNELS)
        mine = decoder(features)
        assert torch.equal(mine.sentence, mine.words[:, 0])
        assert (mine.class_token is not None) == class_token
        for one in EXPRESSIONS:
            image, words = plain_shared.decoder(decoder.state_dict(), features, one, fusion, HEADS)
            assert_close(plain_shared.image_tokens(mine, one), image)
            assert_close(mine.words[one, :LENGTHS[one]], words)

    def test_head(self):
        head, features = randomised(SimilarityHead(channels=CHANNELS)), fused()
        mine = head(features)
        assert mine.shape == (3, 1, 4 * GRID[0], 4 * GRID[1])
        for one in EXPRESSIONS:
            assert_close(mine[one, 0], plain_shared.head(head.state_dict(), features, one))

    def test_no_fpn(self):
        neck, features = randomised(NECKS['no fpn']()), encoded()
        mine = neck(features)
        for one in EXPRESSIONS:
            tokens = torch.cat(plain_shared.stage_tokens(features, 2, one))
            theirs = plain_shared.linear(plain_shared.part(neck.state_dict(), 'projection'), tokens)
            words = mine.words[one, :LENGTHS[one]]
            assert_close(torch.cat((plain_shared.image_tokens(mine, one), words)), theirs)
        assert torch.equal(mine.sentence, mine.words[:, 0])

    @pytest.mark.parametrize('class_token', [True, False])
    def test_pixel_word_attention(self, class_token):
        neck, features = randomised(NECKS['pwam']()), encoded(class_token=class_token)
        mine = neck(features)
        for one in EXPRESSIONS:
            assert_close(plain_shared.image_tokens(mine, one), plain_shared.pwam(neck.state_dict(), features, one))
        assert torch.equal(mine.words, features.text.stages[-1])
        assert torch.equal(mine.sentence, mine.words[:, 0])


class TestContract:

    @every_model
    def test_padding_has_no_influence(self, neck, fusion, num_layers):
        module, features = randomised(Stages(neck, fusion, num_layers)), encoded()
        padding = ~features.text.token_mask[..., None]
        text = replace(
            features.text,
            words=features.text.words.masked_fill(padding, 1e4),
            stages=tuple(words.masked_fill(padding, 1e4) for words in features.text.stages))
        assert_close(module(replace(features, text=text)), module(features))

    @every_model
    def test_an_expression_acts_on_its_own_image(self, neck, fusion, num_layers):
        module, features = randomised(Stages(neck, fusion, num_layers)), encoded()
        before = module(features)
        image = replace(
            features.image,
            stages=tuple(torch.stack((stage[0], stage[1].flip(-1))) for stage in features.image.stages),
            class_stages=tuple(torch.stack((token[0], -token[1])) for token in features.image.class_stages))
        after = module(replace(features, image=image))
        assert torch.equal(after[1:], before[1:])
        assert not torch.allclose(after[0], before[0], rtol=0.01)

    @every_model
    def test_rows_may_be_expressions(self, neck, fusion, num_layers):
        """An encoder that joins image and words has a row for each expression, others one for each image."""
        module, features = randomised(Stages(neck, fusion, num_layers)), encoded()
        expanded = replace(
            features, image=features.image.select(features.image_index), image_index=torch.arange(len(LENGTHS)))
        assert_close(module(expanded), module(features))

    @every_model
    def test_every_parameter_gets_a_gradient(self, neck, fusion, num_layers):
        module = Stages(neck, fusion, num_layers).train()
        module(encoded()).square().sum().backward()
        without = [name for name, parameter in module.named_parameters() if not parameter.grad.any()]
        assert without == []

    @pytest.mark.parametrize('channels', [32, 512])
    def test_logits_start_alike_whatever_the_width(self, channels):
        """About 1/6 on a sentence of unit variance."""
        head = SimilarityHead(channels=channels).train()
        features = replace(fused(), pixels=torch.randn(3, channels, 6, 6), sentence=torch.randn(3, channels))
        logits = head(features).detach()
        assert logits.std() == pytest.approx(1 / 6, rel=0.4)
        assert logits.abs().max() < 1


class TestAttentionWeights:

    def test_of_the_sentence_over_the_patches(self):
        """As a caller gets them from a model, through a hook."""
        neck, features, seen = randomised(FPN()), encoded(), []
        for module in neck.modules():
            if isinstance(module, MultiHeadAttention):
                module.register_forward_pre_hook(lambda layer, inputs: seen.append(layer.attention_weights(*inputs)))
        neck(features)
        assert len(seen) == 3
        state, patches = neck.state_dict(), GRID[0] * GRID[1]
        for stage, mine in enumerate(seen):
            for one in EXPRESSIONS:
                image, words = plain_shared.stage_tokens(features, stage, one)
                tokens = torch.cat((plain_shared.linear(plain_shared.part(state, f'image_projections.{stage}'), image),
                                    plain_shared.linear(plain_shared.part(state, f'word_projections.{stage}'), words)))
                own = plain_shared.part(state, f'fusions.{stage}')
                tokens = plain_shared.layer_norm(plain_shared.part(own, 'norm'), tokens)
                _, theirs = plain_shared.attention(plain_shared.part(own, 'attention'), tokens, tokens, HEADS)
                start, real = 1 + patches, 1 + patches + LENGTHS[one]
                assert_close(mine[one, :, start, :real], theirs[:, start])
                assert not mine[one, :, :, real:].any()

    def test_of_a_context(self):
        attention = randomised(MultiHeadAttention(CHANNELS, HEADS))
        tokens, context, mask = torch.randn(1, 5, CHANNELS), torch.randn(1, 4, CHANNELS), torch.ones(1, 4).bool()
        _, theirs = plain_shared.attention(attention.state_dict(), tokens[0], context[0], HEADS)
        assert_close(attention.attention_weights(tokens, mask, context)[0], theirs)

    def test_of_both_sides(self):
        """Padding takes no part."""
        attention = randomised(BiAttention(CHANNELS, HEADS, 2 * CHANNELS))
        image, words, mask = torch.randn(2, 5, CHANNELS), torch.randn(2, 4, CHANNELS), torch.ones(2, 4).bool()
        mask[1, 3] = False
        state, width = attention.state_dict(), 2 * CHANNELS
        of_image, of_words = attention.attention_weights(image, words, mask)
        assert of_image.shape == (2, HEADS, 5, 4) and of_words.shape == (2, HEADS, 4, 5)
        assert not of_image[1, :, :, 3].any()
        for one, real in enumerate((4, 3)):
            query = plain_shared.linear(plain_shared.part(state, 'image_query_value'), image[one])[:, :width]
            key = plain_shared.linear(plain_shared.part(state, 'word_query_value'), words[one, :real])[:, :width]
            for head in range(HEADS):
                own = slice(head * width // HEADS, (head + 1) * width // HEADS)
                assert_close(of_image[one, head, :, :real], plain_shared.weights(query[:, own], key[:, own]))
                assert_close(of_words[one, head, :real], plain_shared.weights(key[:, own], query[:, own]))


class TestBadInput:

    @pytest.mark.parametrize('neck', ['SharedFPN', 'PWAMNeck'])
    def test_stages(self, neck):
        build = {'SharedFPN': FPN, 'PWAMNeck': NECKS['pwam']}[neck]
        with pytest.raises(ValueError, match=f'{neck} fuses one stage or more: in_channels needs .* but is empty'):
            build(in_channels=())
        module, features = build(), encoded()
        with pytest.raises(ValueError, match=f'{neck} takes 3 stages .* gave 2 of the image and 2 of the words: set'):
            module(encoded(stages=2))
        with pytest.raises(ValueError, match='gave 3 of the image and 0 of the words: .* take an encoder that joins'):
            module(replace(features, text=replace(features.text, stages=())))
        uneven = (torch.randn(2, WIDTH, 6, 4), *features.image.stages[1:])
        with pytest.raises(ValueError, match=f'{neck} takes stages on one grid, but got 3 x 5, 6 x 4: take an'):
            module(replace(features, image=replace(features.image, stages=uneven)))

    def test_no_words_beside_the_stages(self):
        features = encoded()
        with pytest.raises(ValueError, match='ProjectionNeck takes the words .* the encoder gave none: take an'):
            NECKS['no fpn']()(replace(features, text=replace(features.text, stages=())))

    @pytest.mark.parametrize('fusion', FUSIONS)
    def test_heads_that_do_not_divide(self, fusion):
        with pytest.raises(ValueError, match=r'channels \(\d+\) of attention must be divisible by num_heads \(3\)'):
            FusionLayer(channels=CHANNELS, num_heads=3, fusion=fusion)

    def test_unknown_fusion(self):
        message = 'fusion must be one of self_attention, cross_attention, bidirectional, but got \'addition\''
        with pytest.raises(ValueError, match=message):
            FPN(fusion='addition')
        with pytest.raises(ValueError, match=message):
            SharedMaskDecoder(fusion='addition')
