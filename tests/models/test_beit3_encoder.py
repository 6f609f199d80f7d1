"""The contract of the BEiT-3 encoder; that it computes what BEiT-3 does is seen in tests/parity."""

import pytest
import torch

from mmris.models.encoders import BEiT3Encoder
from mmris.registry import MODELS
from mmris.structures import ExpressionBatch, ImageInputs
from tests.conftest import assert_same, tiny_config
from tests.models.joint_inputs import encode, expressions, numbers_kept
from tests.test_configs import batch_of

ARCHITECTURE = dict(layers=4, channels=32, heads=4, image_size=64, vocabulary=90, text_positions=14)


def build(**options):
    torch.manual_seed(0)
    return BEiT3Encoder(**{**dict(architecture=ARCHITECTURE), **options})


@pytest.fixture
def encoder():
    return build().eval()


def images(count=2, height=64, width=96, box=None):
    generator = torch.Generator().manual_seed(1)
    box = torch.tensor([box or [0.0, 0.0, width, height]]).repeat(count, 1)
    return ImageInputs(torch.randn(count, 3, height, width, generator=generator), box)


def real_tokens(output):
    """All that an encoder gives, without what stands on padding."""
    mask = output.text.token_mask.unsqueeze(-1)
    words = [output.text.words, output.text.words_joint, *output.text.stages]
    image = output.image
    return [
        *(torch.where(mask, one, 0) for one in words), output.text.sentence, image.patches, image.image_global,
        *image.stages, *image.class_stages
    ]


def assert_equal(one, other):
    for mine, theirs in zip(real_tokens(one), real_tokens(other)):
        assert mine.shape == theirs.shape and torch.allclose(mine, theirs, atol=1e-5)


def differs(one, other):
    return not torch.allclose(one, other, atol=1e-3)


class TestStructure:

    def test_stages(self, encoder):
        """Stages beside one another: image, class token, words."""
        output = encode(encoder, images(), expressions([9, 5, 2], [1, 0, 1]))
        assert encoder.taps == (1, 2, 3, 4)
        assert [stage.shape for stage in output.image.stages] == [(3, 32, 4, 6)] * 4
        assert [stage.shape for stage in output.image.class_stages] == [(3, 32)] * 4
        assert [stage.shape for stage in output.text.stages] == [(3, 9, 32)] * 4
        assert output.image_index.tolist() == [0, 1, 2]
        assert torch.equal(output.image.patches, output.image.stages[3].flatten(2).transpose(1, 2))
        assert torch.equal(output.image.image_global, output.image.class_stages[3])
        assert torch.equal(output.text.words, output.text.stages[3])
        assert torch.equal(output.text.sentence, output.text.words_joint[:, 0])

    def test_fewer_taps(self, encoder):
        text = expressions([9, 5], [0, 1])
        every, some = (encode(one, images(), text) for one in (encoder, build(taps=(2, 4)).eval()))
        for name in ('stages', 'class_stages'):
            assert_same(getattr(some.image, name), tuple(getattr(every.image, name)[index] for index in (1, 3)))
        assert_same(some.text.stages, tuple(every.text.stages[index] for index in (1, 3)))

    def test_last_stage_without_norm(self, encoder):
        """It is what the final LayerNorm would get; the others stay."""
        raw = build(norm_last_stage=False).eval()
        assert encoder.state_dict().keys() - raw.state_dict().keys() == {
            f'{modality}_norm.{name}' for modality in ('image', 'text') for name in ('weight', 'bias')}
        given, text = images(), expressions([9, 5], [0, 1])
        normed, plain = encode(encoder, given, text), encode(raw, given, text)
        assert_same(normed.image.stages[:3], plain.image.stages[:3])
        for mine, expected in ((plain.image.patches, normed.image.patches), (plain.text.words, normed.text.words)):
            centred = mine - mine.mean(dim=-1, keepdim=True)
            centred = centred / (centred.square().mean(dim=-1, keepdim=True) + 1e-5).sqrt()
            assert torch.allclose(centred, expected, atol=1e-5) and differs(mine, expected)

    def test_joint_space(self, encoder):
        """A map of each modality after the last stage, which is then the mapped one."""
        mapped = build(joint_channels=24).eval()
        missing = mapped.load_state_dict(encoder.state_dict(), strict=False).missing_keys
        assert missing == ['image_projection.weight', 'text_projection.weight']
        given, text = images(), expressions([9, 5], [0, 1])
        plain, joint = encode(encoder, given, text), encode(mapped, given, text)
        assert torch.allclose(joint.image.patches, plain.image.patches @ mapped.image_projection.weight.T, atol=1e-5)
        assert torch.allclose(joint.text.words_joint, plain.text.words @ mapped.text_projection.weight.T, atol=1e-5)
        assert torch.equal(joint.text.words, plain.text.words)
        assert torch.equal(joint.text.sentence, joint.text.words_joint[:, 0])
        assert torch.equal(joint.image.stages[3].flatten(2).transpose(1, 2), joint.image.patches)
        assert torch.equal(joint.image.class_stages[3], joint.image.image_global)
        assert torch.equal(joint.text.stages[3], joint.text.words_joint)
        assert_same(joint.image.stages[:3], plain.image.stages[:3])

    def test_border_patches_are_outside(self, encoder):
        inside = encoder.embed_image(images(1, box=[0.0, 16.0, 96.0, 48.0])).inside[0]
        assert inside[1:3].all() and not inside[0].any() and not inside[3].any()


class TestRows:
    """Sentences do not see one another, whatever batch they are in."""

    def test_one_by_one(self, encoder):
        given, text = images(), expressions([9, 5, 2, 7], [1, 0, 1, 1])
        together = encode(encoder, given, text)
        for row, image in enumerate(text.image_index.tolist()):
            own = ImageInputs(given.pixels[image:image + 1], given.box[image:image + 1])
            mine = ExpressionBatch(text.token_ids[[row]], text.token_mask[[row]], torch.tensor([0]))
            alone = encode(encoder, own, mine)
            for one, other in zip(real_tokens(alone), real_tokens(together)):
                assert torch.allclose(one[0], other[row], atol=1e-5)

    def test_grouped(self, encoder):
        """S sentences of an image, or S times the image with one."""
        given, text = images(), expressions([9, 5, 2, 7], [0, 0, 1, 1])
        image = encoder.encode_image(encoder.embed_image(given))
        state = encoder.encode_text(encoder.embed_text(text))
        grouped = encoder.join(image, state, text.image_index)
        single = encoder.join(image.select(text.image_index), state, torch.arange(4))
        assert_same(real_tokens(grouped), real_tokens(single))
        assert differs(grouped.image.patches[0], grouped.image.patches[1]), 'the image does not see its sentence'

    def test_padding(self, encoder):
        """Neither its ids nor its length matter; the last case has none."""
        given, text = images(), expressions([5, 5], [0, 1], total=12)
        reference = encode(encoder, given, text)
        other = ExpressionBatch(
            torch.where(text.token_mask, text.token_ids, 89 - text.token_ids), text.token_mask, text.image_index)
        assert (other.token_ids != text.token_ids).any()
        assert_equal(encode(encoder, given, other), reference)
        short = ExpressionBatch(text.token_ids[:, :5], text.token_mask[:, :5], text.image_index)
        found = encode(encoder, given, short)
        assert torch.allclose(found.text.words, reference.text.words[:, :5], atol=1e-5)
        assert torch.allclose(found.image.patches, reference.image.patches, atol=1e-5)


class TestMasks:
    """What the branches of masked distillation do: replace content, and join again."""

    @pytest.fixture
    def states(self, encoder):
        text = expressions([7, 4], [0, 1])
        return encoder.embed_image(images()), encoder.embed_text(text), text.image_index

    def test_patches_keep_their_position(self, encoder, states):
        """With all content gone, patches still differ, by no more than their positions."""
        image, text, index = states
        masked = encoder.replace_patches(image, torch.ones(2, 4, 6) > 0, torch.zeros(32))
        assert (masked.cells == 0).all() and torch.equal(masked.inside, image.inside)
        first = encoder.join(masked, text, index)
        assert differs(first.image.stages[0][0, :, 0, 0], first.image.stages[0][0, :, 3, 5])
        other = encoder.embed_image(ImageInputs(-images().pixels, images().box))
        second = encoder.join(encoder.replace_patches(other, torch.ones(2, 4, 6) > 0, torch.zeros(32)), text, index)
        assert_same(real_tokens(first), real_tokens(second))

    def test_some_patches(self, encoder, states):
        """Only the masked row of the batch changes; border patches are masked where asked."""
        image, text, index = states
        mask = torch.zeros(2, 4, 6, dtype=torch.bool)
        mask[0, 0, 0] = True
        vector = torch.randn(32)
        masked = encoder.replace_patches(image, mask, vector)
        assert torch.equal(masked.cells[0, :, 0, 0], vector)
        assert torch.equal(masked.cells[:, :, 1:], image.cells[:, :, 1:])
        plain, found = encoder.join(image, text, index), encoder.join(masked, text, index)
        for one, other in zip(real_tokens(plain), real_tokens(found)):
            assert differs(one[0], other[0]) and torch.allclose(one[1], other[1], atol=1e-5)
        nothing = encoder.replace_patches(image, torch.zeros_like(mask), vector)
        assert_same(real_tokens(encoder.join(nothing, text, index)), real_tokens(plain))

    def test_words(self, encoder, states):
        """A masked word changes its sentence alone, a masked padding nothing; words keep their position."""
        image, text, index = states
        mask = torch.zeros(2, 9, dtype=torch.bool)
        mask[0, 2] = mask[1, 6] = True
        plain = encoder.join(image, text, index)
        found = encoder.join(image, encoder.replace_words(text, mask, torch.randn(32)), index)
        for one, other in zip(real_tokens(plain), real_tokens(found)):
            assert differs(one[0], other[0]) and torch.allclose(one[1], other[1], atol=1e-5)
        blank = encoder.join(image, encoder.replace_words(text, torch.ones_like(mask), torch.zeros(32)), index)
        assert differs(blank.text.stages[0][0, 1], blank.text.stages[0][0, 2])

    @pytest.mark.parametrize('joint_channels', [None, 24])
    def test_both_branches_train_every_parameter(self, joint_channels, refer_set):
        """CM-MaskSD's branches as they are, on an encoder that is joint."""
        torch.manual_seed(0)
        width = joint_channels or 32
        config = tiny_config().model
        config.auxiliary_losses = None
        config.encoder = dict(
            type='BEiT3Encoder',
            architecture=dict(ARCHITECTURE, vocabulary=49408, text_positions=20),
            taps=(1, 2, 4),
            joint_channels=joint_channels,
            drop_path=0.1)
        config.neck.update(in_channels=(32, 32, width), sentence_channels=width)
        config.decoder.update(word_channels=32)
        config.head.update(sentence_channels=width)
        model = MODELS.build(config).train()
        batch = model.data_preprocessor(batch_of(tiny_config().train_dataloader, refer_set, 'refs(unc).p'), True)
        losses = model(**batch, mode='loss')
        measured = {'target_share_lmvsd', 'chance_lmvsd'}
        assert set(losses) == {'loss_bce', 'loss_lmvsd', 'loss_vmlsd'} | measured
        model.parse_losses(losses)[0].backward()
        still = [name for name, value in model.named_parameters() if value.grad is None]
        assert not still, still


class TestTraining:

    @pytest.mark.parametrize('options', [dict(), dict(joint_channels=24), dict(norm_last_stage=False)], ids=str)
    def test_every_parameter_gets_a_gradient(self, options):
        """From the last stage, the words and the sentence, which all decoders take."""
        encoder = build(drop_path=0.1, **options).train()
        output = encode(encoder, images(6), expressions([9, 5, 2, 7, 8, 3], range(6)))
        for part in (output.image.stages[-1], output.text.words, output.text.sentence):
            part.square().mean().backward(retain_graph=True)
        still = [name for name, value in encoder.named_parameters() if value.grad is None or not value.grad.any()]
        assert not still, still

    def test_drop_path_rates(self):
        rates = [layer.drop_path.drop_prob for layer in build(drop_path=0.3).layers]
        assert rates == pytest.approx([0, 0.1, 0.2, 0.3])
        single = build(architecture=dict(ARCHITECTURE, layers=1), taps=(1, ), drop_path=0.3)
        assert single.layers[0].drop_path.drop_prob == 0

    def test_drop_path_is_off_in_evaluation(self, encoder):
        given, text = images(), expressions([9, 5], [0, 1])
        dropping = build(drop_path=0.9)
        assert_same(real_tokens(encode(dropping.eval(), given, text)), real_tokens(encode(encoder, given, text)))
        assert differs(encode(dropping.train(), given, text).image.patches, encode(encoder, given, text).image.patches)

    def test_drop_path_drops_both_modalities_of_a_sample(self):
        """Each branch of a layer leaves a sample as it was, or gives to it 1 / (1 - p) times as much."""
        layer = build(drop_path=0.5).layers[-1]
        image, text = torch.randn(64, 3, 32), torch.randn(64, 2, 32)
        kept = layer._add(torch.zeros_like(image), torch.zeros_like(text), image, text)
        factors = [(sum_ / branch) for sum_, branch in zip(kept, (image, text))]
        for factor in factors:
            assert torch.allclose(factor, factor[:, :1, :1].expand_as(factor))
        assert torch.allclose(factors[0][:, 0, 0], factors[1][:, 0, 0])
        values = factors[0][:, 0, 0].round(decimals=4).unique().tolist()
        assert values == [0, 2]

    def test_activation_checkpointing_keeps_less_and_gives_the_same_gradients(self):
        """Also of paths that are dropped: the same again in the recomputation."""
        found, kept = [], []
        for activation_checkpointing in (False, True):
            encoder = build(activation_checkpointing=activation_checkpointing, drop_path=0.4).train()
            torch.manual_seed(3)
            output, count = numbers_kept(encode, encoder, images(4), expressions([9, 5, 2, 7], range(4)))
            (output.image.stages[1].square().mean() + output.text.sentence.square().mean()).backward()
            found.append({name: value.grad for name, value in encoder.named_parameters()})
            kept.append(count)
        assert_same(*found)
        assert kept[1] < kept[0] / 2, kept


class TestErrors:

    def test_input_size(self, encoder):
        with pytest.raises(ValueError, match='input is 60 x 64 pixels .* multiple of 16 x 16'):
            encoder.embed_image(images(1, 60, 64))

    def test_too_many_tokens(self, encoder):
        """Two rows of the table are not used."""
        assert encoder.embed_text(expressions([3], [0], total=12)).words.shape == (1, 12, 32)
        with pytest.raises(ValueError, match='Sentences have 13 tokens, but the encoder has 12 positions. Lower'):
            encoder.embed_text(expressions([3], [0], total=13))

    def test_another_vocabulary(self, encoder):
        ids = torch.tensor([[0, 89, 2]])
        text = ExpressionBatch(ids, ids >= 0, torch.tensor([0]))
        assert encoder.embed_text(text).words.shape == (1, 3, 32)
        with pytest.raises(ValueError, match='the token id 90, but the encoder has embeddings of 90 tokens: .* Take'):
            encoder.embed_text(ExpressionBatch(ids + 1, text.token_mask, text.image_index))
