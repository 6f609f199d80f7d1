"""The trimodal encoder's own part, masks; that without them it computes what ViLT does is seen in tests/parity."""

from dataclasses import replace

import pytest
import torch

from mmris.models.data_preprocessor import ReferringDataPreprocessor, batch_instances
from mmris.models.encoders import TrimodalEncoder
from mmris.models.encoders.trimodal import instance_places
from mmris.structures import ImageInputs, InstanceMasks
from tests.conftest import assert_same
from tests.models.joint_inputs import encode, expressions, numbers_kept

ARCHITECTURE = dict(layers=4, channels=32, heads=4, patch_size=16, image_size=64, vocabulary=90, text_positions=14)
HEIGHT, WIDTH, PATCH = 64, 96, 16


def build(**options):
    torch.manual_seed(0)
    encoder = TrimodalEncoder(**{**dict(architecture=ARCHITECTURE), **options})
    for parameter in encoder.parameters():
        # What begins at zero or small would hide much.
        parameter.data += 0.2 * torch.randn_like(parameter)
    return encoder


@pytest.fixture
def encoder():
    return build().eval()


def rectangles(count, seed=3):
    generator = torch.Generator().manual_seed(seed)
    masks = torch.zeros(count, HEIGHT, WIDTH, dtype=torch.bool)
    for mask in masks:
        y, x, height, width = (int(torch.randint(1, 40, (1, ), generator=generator)) for _ in range(4))
        mask[y:y + height, x:x + width] = True
    return masks


def images(counts=(3, 1), box=(0.0, 0.0, WIDTH, HEIGHT)):
    """An image for each number of instances."""
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randn(len(counts), 3, HEIGHT, WIDTH, generator=generator)
    found = batch_instances([rectangles(count, seed) for seed, count in enumerate(counts)])
    return ImageInputs(pixels, torch.tensor([box]).repeat(len(counts), 1), found)


def features(output):
    """All of an encoder's output, with zeros where there is no word and no instance."""
    words = output.text.token_mask.unsqueeze(-1)
    given = [*output.image.stages, *output.image.class_stages, output.text.sentence,
             *(torch.where(words, stage, 0) for stage in output.text.stages)]
    if output.instances is not None:
        given.append(torch.where(output.instances.present.unsqueeze(-1), output.instances.tokens, 0))
    return given


def assert_equal(one, other):
    assert len(one) == len(other)
    for mine, theirs in zip(one, other):
        assert mine.shape == theirs.shape and torch.allclose(mine, theirs, atol=2e-5)


def differ(one, other):
    return any(not torch.allclose(mine, theirs, atol=1e-3) for mine, theirs in zip(one, other))


def plain_place(mask, box):
    """Centre, size and area of one mask, pixel by pixel."""
    pixels = [(y, x) for y in range(HEIGHT) for x in range(WIDTH) if mask[y, x]]
    if not pixels:
        return [0.0] * 5
    x0, y0, x1, y1 = box
    top, bottom = min(y for y, _ in pixels), max(y for y, _ in pixels) + 1
    left, right = min(x for _, x in pixels), max(x for _, x in pixels) + 1
    width, height = x1 - x0, y1 - y0
    return [((left + right) / 2 - x0) / width, ((top + bottom) / 2 - y0) / height, (right - left) / width,
            (bottom - top) / height, len(pixels) / (width * height)]


class TestMaskTokens:

    def test_mean_of_patches_plus_place_plus_type(self, encoder):
        given = images(box=(0.0, 8.0, WIDTH, 56.0))
        embeddings = encoder.embed_image(given)
        state = encoder.encode_image(embeddings)
        for image in range(2):
            for number in range(3):
                mask = given.instances.masks[image, number]
                weighted, total = torch.zeros(32), 0
                for row in range(HEIGHT // PATCH):
                    for column in range(WIDTH // PATCH):
                        cell = mask[row * PATCH:(row + 1) * PATCH, column * PATCH:(column + 1) * PATCH]
                        weighted += cell.sum() * embeddings.cells[image, :, row, column]
                        total += cell.sum()
                place = torch.tensor(plain_place(mask, (0.0, 8.0, WIDTH, 56.0)))
                expected = weighted / max(total, 1) + encoder.mask_place(place) + encoder.mask_type
                assert torch.allclose(state.tokens[image, number], expected, atol=1e-5)

    def test_places(self):
        masks = torch.zeros(1, 3, HEIGHT, WIDTH, dtype=torch.bool)
        masks[0, 0, 16:32, 24:72] = True
        masks[0, 1, 20, 90] = masks[0, 1, 55, 30] = True
        box = (12.0, 16.0, 84.0, 48.0)
        places = instance_places(masks, torch.tensor([box]))
        assert places[0, 0].tolist() == pytest.approx([0.5, 0.25, 48 / 72, 0.5, 16 * 48 / (72 * 32)])
        assert places[0, 1].tolist() == pytest.approx(plain_place(masks[0, 1], box))
        assert places[0, 2].tolist() == [0] * 5

    def test_patches_that_are_replaced_are_replaced_in_the_instance_too(self, encoder):
        embeddings = encoder.embed_image(images())
        everything = torch.ones(2, 4, 6, dtype=torch.bool)
        vector = torch.randn(32)
        masked = encoder.replace_patches(embeddings, everything, vector)
        tokens = encoder.encode_image(masked).tokens[:, 0]
        rest = encoder.mask_place(masked.instances.places[:, 0]) + encoder.mask_type
        assert torch.allclose(tokens - rest, vector.expand(2, -1), atol=1e-5)


class TestSequence:

    def test_shapes(self, encoder):
        output = encode(encoder, images(), expressions([9, 5, 2], [1, 0, 1]))
        assert encoder.taps == (1, 2, 3, 4)
        assert [stage.shape for stage in output.image.stages] == [(3, 32, 4, 6)] * 4
        assert [stage.shape for stage in output.text.stages] == [(3, 9, 32)] * 4
        assert output.instances.tokens.shape == (3, 3, 32)
        assert output.instances.present.tolist() == [[True, False, False], [True] * 3, [True, False, False]]
        assert output.image_index.tolist() == [0, 1, 2]
        assert torch.equal(output.image.patches, output.image.stages[3].flatten(2).transpose(1, 2))
        assert torch.equal(output.text.sentence, output.text.stages[3][:, 0])

    def test_an_image_alone_as_among_others(self, encoder):
        """Neither other images nor the padding up to their number of instances and words changes anything."""
        text = expressions([9, 5], [0, 1])
        together = features(encode(encoder, images((1, 4)), text))
        given, alone = images((1, 4)), expressions([9], [0])
        alone = replace(alone, token_ids=text.token_ids[:1])
        one = ImageInputs(given.pixels[:1], given.box[:1], batch_instances([given.instances.masks[0, :1]]))
        single = features(encode(encoder, one, alone))
        assert_equal([part[:1] for part in together[:-1]], single[:-1])
        assert torch.allclose(together[-1][:1, :1], single[-1], atol=2e-5)

    def test_absent_instances_change_nothing_whatever_is_in_them(self, encoder):
        given, text = images((3, 1)), expressions([9, 5], [0, 1])
        masks = given.instances.masks.clone()
        masks[1, 1:] = rectangles(2, 9)
        filled = replace(given, instances=InstanceMasks(masks, given.instances.present))
        assert_equal(features(encode(encoder, given, text)), features(encode(encoder, filled, text)))

    def test_order_of_instances_does_not_matter(self, encoder):
        given, text, order = images((3, 3)), expressions([9, 5], [0, 1]), torch.tensor([2, 0, 1])
        turned = replace(given, instances=InstanceMasks(given.instances.masks[:, order], given.instances.present))
        one, other = (features(encode(encoder, each, text)) for each in (given, turned))
        assert_equal([*one[:-1], one[-1][:, order]], other)

    def test_instances_are_looked_at(self, encoder):
        given, text = images((3, 3)), expressions([9, 5], [0, 1])
        masks = given.instances.masks.roll(20, dims=3)
        moved = replace(given, instances=InstanceMasks(masks, given.instances.present))
        one, other = (features(encode(encoder, each, text)) for each in (given, moved))
        assert differ(one[:4], other[:4]) and differ(one[-1:], other[-1:])

    def test_no_instances_is_the_two_modality_model(self, encoder):
        plain, given, text = build(masks=False).eval(), images((0, 0)), expressions([9, 5, 3], [0, 1, 1])
        plain.load_state_dict(encoder.state_dict(), strict=False)
        one, other = (encode(each, given, text) for each in (encoder, plain))
        assert one.instances.tokens.shape == (3, 0, 32) and other.instances is None
        assert_equal(features(one)[:-1], features(other))

    def test_border_is_not_looked_at(self, encoder):
        """Patches that lie wholly in the letterbox border change nothing of the others."""
        text = expressions([9, 5], [0, 1])
        given = images(box=(32.0, 0.0, 80.0, HEIGHT))
        # No instance reaches into the border.
        given.instances.masks[..., :32] = given.instances.masks[..., 80:] = False
        pixels = given.pixels.clone()
        pixels[:, :, :, :32] = 5
        pixels[:, :, :, 80:] = -5
        one, other = (encode(encoder, each, text) for each in (given, replace(given, pixels=pixels)))
        assert torch.allclose(one.text.sentence, other.text.sentence, atol=1e-5)
        assert torch.allclose(one.image.stages[-1][..., 2:5], other.image.stages[-1][..., 2:5], atol=1e-5)
        assert differ([one.image.stages[-1][..., :2]], [other.image.stages[-1][..., :2]])

    def test_masks_false_does_not_look(self):
        plain, text = build(masks=False).eval(), expressions([9, 5], [0, 1])
        given = images((3, 1))
        one, other = (encode(plain, each, text) for each in (given, replace(given, instances=None)))
        assert one.instances is None
        assert_equal(features(one), features(other))


    def test_some_expressions(self, encoder):
        """They keep the masks of their own images."""
        instances = encode(encoder, images(), expressions([9, 5, 2], [1, 0, 1])).instances
        some = instances.select(torch.tensor([1, 2]))
        assert torch.equal(some.present, instances.present[1:])
        assert torch.equal(some.tokens, instances.tokens[1:])


class TestTraining:

    def test_places_begin_as_wide_as_patches(self):
        """At any width, with a norm for each: what a patch gives to a mask's token does not drown its place."""
        torch.manual_seed(0)
        encoder = TrimodalEncoder(architecture=dict(ARCHITECTURE, channels=256, heads=4))
        encoder.init_weights()
        places = encoder.mask_place(torch.rand(64, 5) / 2)
        cells = encoder.embed_image(images((1, ) * 8)).cells.movedim(1, -1).flatten(0, 2)
        assert 0.3 < places.std(dim=0).mean() / cells.std(dim=0).mean() < 3

    @pytest.mark.parametrize('counts', [(3, 1), (0, 0)])
    def test_every_parameter_gets_a_gradient(self, encoder, counts):
        output = encode(encoder, images(counts), expressions([9, 5], [0, 1]))
        sum(part.square().sum() for part in features(output)).backward()
        of_masks = {'mask_type', 'mask_place.weight', 'mask_place.bias'}
        zero = {name for name, value in encoder.named_parameters() if value.grad.abs().sum() == 0}
        assert zero == (set() if counts[0] else of_masks)

    def test_activation_checkpointing_keeps_less_and_gives_the_same_gradients(self):
        gradients, kept = [], []
        for option in (False, True):
            encoder = build(activation_checkpointing=option)
            output, count = numbers_kept(encode, encoder, images(), expressions([9, 5], [0, 1]))
            sum(part.square().sum() for part in features(output)).backward()
            gradients.append({name: value.grad for name, value in encoder.named_parameters()})
            kept.append(count)
        assert_same(*gradients)
        assert kept[1] < kept[0] / 2, kept

    def test_mixed_precision(self, encoder):
        with torch.autocast('cpu', dtype=torch.bfloat16):
            output = encode(encoder, images(), expressions([9, 5], [0, 1]))
        exact = encode(encoder, images(), expressions([9, 5], [0, 1]))
        for rough, fine in zip(features(output), features(exact)):
            assert (rough.float() - fine).abs().mean() < 0.05 * fine.abs().mean()


def test_the_feedforward_is_as_wide_as_told():
    """Also where the quotient of the two, times channels, is just below the wanted width."""
    steps = range(16, 1025, 16)
    below = [(channels, width) for channels in steps for width in steps if int(channels * (width / channels)) < width]
    assert (176, 240) in below
    for channels, width in [*below, *((channels, 4 * channels) for channels in steps)]:
        sizes = dict(ARCHITECTURE, layers=1, channels=channels, feedforward_channels=width)
        with torch.device('meta'):
            encoder = TrimodalEncoder(architecture=sizes, taps=(1, ))
        assert encoder.blocks[0].mlp.fc1.out_features == width


class TestErrors:

    def test_too_many_words(self, encoder):
        with pytest.raises(ValueError, match='Sentences have 15 tokens, but the encoder has 14 positions'):
            encoder.embed_text(expressions([9], [0], total=15))

    def test_word_beyond_the_vocabulary(self, encoder):
        text = expressions([9], [0])
        with pytest.raises(ValueError, match='token id 90, but the encoder has embeddings of 90 tokens'):
            encoder.embed_text(replace(text, token_ids=text.token_ids * 0 + 90))

    def test_size(self, encoder):
        given = images()
        with pytest.raises(ValueError, match='60 x 96 pixels .* multiple of 16 x 16'):
            encoder.embed_image(replace(given, pixels=given.pixels[:, :, :60]))

    def test_taps(self):
        with pytest.raises(ValueError, match=r"taps of TrimodalEncoder must be whole numbers.*got \('last',\)"):
            build(taps=('last', ))

    def test_nobody_looked(self, encoder):
        """Else a pipeline without masks would evaluate another model in silence."""
        with pytest.raises(ValueError, match='none came with the images: put LoadInstanceMasks before Letterbox'):
            encoder.embed_image(replace(images(), instances=None))

    @pytest.mark.parametrize('masks, message', [
        ([rectangles(1)], '1 of 2 images of a batch have instance masks: load them for all'),
        ([rectangles(1), rectangles(2)[:, :60]],
         r'masks of image 1 of a batch must be bool of shape \(K, 64, 96\), as the image, but are torch.bool of '
         r'\(2, 60, 96\): Letterbox and Resize warp them'),
        ([rectangles(1).byte(), rectangles(2)], r'masks of image 0 of a batch must be bool .* are torch.uint8 of'),
    ])
    def test_masks_that_do_not_fit_the_images(self, masks, message):
        preprocessor = ReferringDataPreprocessor(mean=[0, 0, 0], std=[1, 1, 1])
        pixels = [torch.zeros(3, HEIGHT, WIDTH, dtype=torch.uint8)] * 2
        with pytest.raises(ValueError, match=message):
            preprocessor.batch_images(pixels, [(0, 0, WIDTH, HEIGHT)] * 2, masks)
