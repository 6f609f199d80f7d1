"""RISCLIP's encoder against a plain one, what an expression depends on there, and what several share."""

from dataclasses import replace
from typing import Optional

import numpy as np
import pytest
import torch
from torch import nn

from mmris.models.encoders import CLIPEncoder, RISCLIPEncoder
from mmris.registry import MODELS
from mmris.structures import EncoderOutput, ExpressionBatch, ImageInputs, ReferringDataSample, ReferringInputs
from tests.conftest import assert_close
from tests.models import plain_risclip

# The first image lies between borders of one patch above and two below, the second has one on its right.
HEIGHT, WIDTH, PATCH = 48, 32, 8
BOXES = [[0.0, 8.0, 32.0, 32.0], [0.0, 0.0, 24.0, 48.0]]
LENGTHS, LONGEST, IMAGE_INDEX = (7, 4, 9, 5, 3), 11, (0, 0, 0, 1, 1)
EXPRESSIONS = range(len(LENGTHS))
HEADS = dict(image=2, text=4, cfe=5, ske=3)


def settings(image_blocks: int = 4, text_blocks: int = 4, **options: object) -> dict:
    architecture = dict(
        embed_dim=24,
        vision_cfg=dict(
            image_size=32, patch_size=PATCH, width=32, head_width=32 // HEADS['image'], layers=image_blocks),
        text_cfg=dict(context_length=12, vocab_size=64, width=40, heads=HEADS['text'], layers=text_blocks))
    parts = dict(cfe_channels=20, cfe_heads=HEADS['cfe'], ske_modules=2, ske_heads=HEADS['ske'], value_path=True)
    return {'architecture': architecture, 'taps': (1, image_blocks), 'quick_gelu': False, **parts, **options}


def randomised(module: nn.Module, deviation: float = 0.12) -> nn.Module:
    """With no weight left where it starts: much of a new encoder does nothing, and norms neither."""
    with torch.no_grad():
        for name, value in module.state_dict().items():
            if name.endswith('running_var'):
                value.uniform_(0.5, 2)
            elif value.is_floating_point():
                value.normal_(0, deviation)
    return module


def batch() -> ReferringInputs:
    generator = torch.Generator().manual_seed(1)
    token_mask = torch.arange(LONGEST) < torch.tensor(LENGTHS)[:, None]
    token_ids = torch.randint(1, 64, token_mask.shape, generator=generator)
    return ReferringInputs(
        images=ImageInputs(torch.randn(2, 3, HEIGHT, WIDTH, generator=generator), torch.tensor(BOXES)),
        expressions=ExpressionBatch(token_ids * token_mask, token_mask, torch.tensor(IMAGE_INDEX)))


def encode(encoder: CLIPEncoder, inputs: ReferringInputs) -> EncoderOutput:
    image = encoder.encode_image(encoder.embed_image(inputs.images))
    text = encoder.encode_text(encoder.embed_text(inputs.expressions))
    return encoder.join(image, text, inputs.expressions.image_index)


def of_one(encoded: EncoderOutput, one: int) -> dict:
    """All that is known of an expression and its image; padding is left out."""
    image, text = encoded.image.select(encoded.image_index[one]), encoded.text
    real = text.token_mask[one]
    return dict(
        {f'stage {number}': stage[0] for number, stage in enumerate(image.stages)},
        patches=image.patches[0],
        image_global=image.image_global[0],
        words=text.words[one][real],
        words_joint=text.words_joint[one][real],
        sentence=text.sentence[one])


def assert_all_close(mine: dict, theirs: dict) -> None:
    assert mine.keys() == theirs.keys()
    for name, value in mine.items():
        assert_close(value, theirs[name])


EVERY_BLOCK = {str(number): (number, number) for number in (1, 2, 3, 4)}
VARIANTS = {
    'equal towers': (settings(), EVERY_BLOCK),
    'image twice as deep': (settings(6, 3, taps=(2, 4, 5, 6)), dict(zip('123', ((1, 1), (3, 2), (5, 3))))),
    'text twice as deep': (settings(image_blocks=2), {'1': (1, 1), '2': (2, 3)}),
    'upper half': (settings(cfe_blocks=(3, 4)), {'3': (3, 3), '4': (4, 4)}),
    'upper half of unlike towers': (settings(text_blocks=2, cfe_blocks=[2]), {'2': (3, 2)}),
    'not every block': (settings(cfe_blocks=(1, 3)), {'1': (1, 1), '3': (3, 3)}),
    'no adapters': (settings(adapter_ratio=0), EVERY_BLOCK),
    'no CFE': (settings(cfe_blocks=()), {}),
    'no SKE': (settings(ske_modules=0), EVERY_BLOCK),
    'value path alone': (settings(adapter_ratio=0, cfe_blocks=(), ske_modules=0), {}),
    'no value path': (settings(value_path=False), EVERY_BLOCK),
    'QuickGELU': (settings(quick_gelu=True), EVERY_BLOCK),
}


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


class TestEquations:

    @pytest.mark.parametrize('name', VARIANTS)
    def test_against_the_plain_one(self, name):
        options, meetings = VARIANTS[name]
        encoder, inputs = randomised(RISCLIPEncoder(**options)).eval(), batch()
        inside = encoder.embed_image(inputs.images).inside
        assert inside.flatten(1).sum(dim=1).tolist() == [3 * 4, 6 * 3]
        encoded = encode(encoder, inputs)
        assert torch.equal(encoded.text.token_mask, inputs.expressions.token_mask)
        # Images are expanded only where they meet a sentence.
        assert len(encoded.image.patches) == (len(LENGTHS) if encoder.cfe or encoder.ske else 2)
        told = {name: options[name] for name in ('taps', 'quick_gelu', 'value_path')}
        for one, image in enumerate(IMAGE_INDEX):
            pixels, ids = inputs.images.pixels[image], inputs.expressions.token_ids[one, :LENGTHS[one]]
            theirs = plain_risclip.encode(
                encoder.state_dict(), pixels, inside[image], ids, heads=HEADS, meetings=meetings, **told)
            assert_all_close(of_one(encoded, one), theirs)


class TestNewEncoder:
    """What is trained changes nothing where it begins."""

    @staticmethod
    def with_clip(**options: object) -> tuple:
        """The features of a new encoder and of CLIP with the same towers, one expression an image."""
        inputs = batch()
        inputs = replace(inputs, expressions=inputs.expressions.select(torch.tensor([2, 3])))
        encoder = RISCLIPEncoder(**settings(**options)).eval()
        clip = CLIPEncoder(architecture=settings()['architecture'], taps=(1, 4), quick_gelu=False).eval()
        clip.image.load_state_dict(encoder.image.state_dict())
        clip.text.load_state_dict(encoder.text.state_dict())
        return encode(encoder, inputs), encode(clip, inputs)

    @pytest.mark.parametrize('options', [
        dict(), dict(adapter_ratio=0), dict(cfe_blocks=()), dict(ske_modules=0),
        dict(adapter_ratio=0, cfe_blocks=(), ske_modules=0)
    ])
    def test_is_clip(self, options):
        mine, clip = self.with_clip(value_path=False, **options)
        assert torch.equal(mine.image.patches, clip.image.patches)
        assert torch.equal(mine.image.image_global, clip.image.image_global)
        assert torch.equal(mine.image.stages[0], clip.image.stages[0])
        for name in ('words', 'words_joint', 'sentence'):
            assert torch.equal(getattr(mine.text, name), getattr(clip.text, name)), name

    def test_the_value_path_is_the_patches_alone(self):
        mine, clip = self.with_clip()
        assert_close(mine.image.image_global, clip.image.image_global)
        assert torch.equal(mine.text.sentence, clip.text.sentence)
        assert torch.equal(mine.image.stages[0], clip.image.stages[0])
        assert not torch.allclose(mine.image.patches, clip.image.patches, rtol=0.1)


class TestWhatAnExpressionDependsOn:

    @pytest.fixture(params=['equal towers', 'image twice as deep', 'upper half', 'no CFE', 'no SKE'])
    def encoder(self, request):
        return randomised(RISCLIPEncoder(**VARIANTS[request.param][0])).eval()

    def test_not_on_the_others_nor_on_the_length_of_padding(self, encoder):
        inputs = batch()
        encoded = encode(encoder, inputs)
        for one, length in enumerate(LENGTHS):
            alone = inputs.expressions.select(torch.tensor([one]))
            alone = replace(alone, token_ids=alone.token_ids[:, :length], token_mask=alone.token_mask[:, :length])
            assert_all_close(of_one(encoded, one), of_one(encode(encoder, replace(inputs, expressions=alone)), 0))

    def test_not_on_what_padding_holds(self, encoder):
        inputs, words = batch(), batch().expressions
        changed = replace(inputs, expressions=replace(words, token_ids=words.token_ids + 5 * ~words.token_mask))
        before, after = encode(encoder, inputs), encode(encoder, changed)
        for one in EXPRESSIONS:
            assert_all_close(of_one(after, one), of_one(before, one))

    def test_on_the_border_only_through_clips_own_attention(self, encoder):
        """CLIP was trained without borders and looks at them; nothing else does."""
        inputs = batch()
        inside = encoder.embed_image(inputs.images).inside
        border = ~inside.repeat_interleave(PATCH, dim=1).repeat_interleave(PATCH, dim=2)
        changed = replace(inputs, images=replace(inputs.images, pixels=inputs.images.pixels + 3 * border[:, None]))

        def without_border(one: int) -> tuple:
            mask, results = inside[IMAGE_INDEX[one]], []
            for these in (inputs, changed):
                found = of_one(encode(encoder, these), one)
                found['patches'] = found['patches'][mask.flatten()]
                results.append({name: value[:, mask] if 'stage' in name else value for name, value in found.items()})
            return tuple(results)

        before, after = without_border(0)
        assert not torch.allclose(before['patches'], after['patches'], rtol=0.01)
        for block in encoder.image.blocks:
            nn.init.zeros_(block.attn.out_proj.weight)
        for one in EXPRESSIONS:
            assert_all_close(*without_border(one))


def segmentor(decoder: bool = False, distillation: Optional[dict] = None, **options: object) -> nn.Module:
    """RISCLIP's first stage, or its second, with options of the encoder."""
    if decoder:
        stages = dict(
            frozen=['encoder'],
            neck=dict(type='JointSpaceNeck', with_stages=True),
            decoder=dict(type='LAVTDecoder', in_channels=(32, 32), channels=12, patch_map=True),
            head=dict(type='ConvolutionHead', channels=12, upsample=2))
    else:
        towers = ['encoder.image', 'encoder.text']
        stages = dict(frozen=towers, neck=dict(type='JointSpaceNeck'), head=dict(type='CosineHead'))
    losses = dict(focal=dict(type='FocalLoss', alpha=0.65, gamma=2.0), dice=dict(type='DiceLoss'))
    encoder = dict(type='RISCLIPEncoder', **settings(**options))
    return MODELS.build(
        dict(type='ReferringSegmentor', encoder=encoder, losses=losses, distillation=distillation, **stages))


def samples() -> list:
    """Of the batch, at the input's own size."""
    found, size = [], (HEIGHT, WIDTH)
    for count in (3, 2):
        sample = ReferringDataSample(metainfo=dict(affine=np.eye(2, 3), img_shape=size, ori_shape=size))
        sample.token_ids = torch.zeros(count, LONGEST)
        sample.gt_input = (torch.rand(count, *size) < 0.3).float()
        found.append(sample)
    return found


def record_rows(encoder: RISCLIPEncoder) -> dict:
    """How many rows each block of both towers runs on, at each of its calls from now on."""
    noted = {name: [[] for _ in getattr(encoder, name).blocks] for name in ('image', 'text')}
    for name, calls_of_blocks in noted.items():
        for block, calls in zip(getattr(encoder, name).blocks, calls_of_blocks):
            block.ln_2.register_forward_hook(lambda layer, inputs, output, calls=calls: calls.append(len(output)))
    return noted


class TestSharedWork:
    """Blocks before the first CFE run once an image and once a sentence."""

    @pytest.mark.parametrize('image_blocks, text_blocks, cfe_blocks, image_apart', [
        (4, 4, (3, 4), 2),
        (12, 12, tuple(range(7, 13)), 6),
        (8, 4, (3, 4), 4),
        (4, 4, 'all', 0),
        (4, 4, (), 4),
    ])
    def test_calls_and_rows(self, image_blocks, text_blocks, cfe_blocks, image_apart):
        model = segmentor(image_blocks=image_blocks, text_blocks=text_blocks, cfe_blocks=cfe_blocks)
        model, inputs = randomised(model).eval(), batch()
        model.max_expressions = 2

        text_apart = image_apart * text_blocks // image_blocks

        def expected(apart: list, after: list) -> dict:
            image = [[2]] * image_apart + [after] * (image_blocks - image_apart)
            return dict(image=image, text=[apart] * text_apart + [after] * (text_blocks - text_apart))

        rows = record_rows(model.encoder)
        with torch.no_grad():
            predicted = model.predict(inputs, samples())
        assert rows == expected([2, 2, 1], [2, 2, 1])
        assert [len(sample.probabilities) for sample in predicted] == [3, 2]
        # Interactive use: the image is set, then asked the same sentences twice.
        rows = record_rows(model.encoder)
        with torch.no_grad():
            state, sentences = model.encode_images(inputs.images), model.encode_sentences(inputs.expressions)
            logits = [model.segment(state, sentences, inputs.expressions.image_index).logits for _ in range(2)]
        assert rows == expected([2, 2, 1], [2, 2, 1, 2, 2, 1])
        # All at once, as in training.
        rows = record_rows(model.encoder)
        whole = model.main_pass(inputs).logits
        assert rows == expected([5], [5])
        for one in logits:
            assert_close(one, whole)


class TestErrors:

    RESNET = dict(
        architecture=dict(
            settings()['architecture'], vision_cfg=dict(image_size=64, layers=[1, 1, 1, 1], width=8, head_width=32)),
        taps=None)

    @pytest.mark.parametrize('blocks', [(2, 1), (1, 1), (0, 1), (3, ), 'upper', '', None])
    def test_blocks_of_cfe(self, blocks):
        message = "cfe_blocks of RISCLIPEncoder must be 'all' or increasing numbers from 1 to 2, but got "
        with pytest.raises(ValueError, match=message) as caught:
            RISCLIPEncoder(**settings(text_blocks=2, cfe_blocks=blocks))
        assert str(caught.value).endswith(f'{blocks!r}.')

    @pytest.mark.parametrize('options, message', [
        (dict(adapter_ratio=-0.5), 'adapter_ratio of RISCLIPEncoder must be 0 or more, but got -0.5'),
        (dict(adapter_ratio=0.01), 'hidden_channels of an adapter must be at least 1, but got 0'),
        (dict(ske_modules=-1), 'ske_modules of RISCLIPEncoder must be 0 or more, but got -1'),
        (dict(ske_heads=0), r'channels \(24\) of attention must be divisible by num_heads \(0\)'),
        (dict(cfe_heads=3), r'channels \(20\) of attention must be divisible by num_heads \(3\)'),
        (dict(ske_heads=5), r'channels \(24\) of attention must be divisible by num_heads \(5\)'),
        (dict(text_blocks=3), 'number of one must be a multiple of the other.s, but .* has 4 and 3'),
        (RESNET, 'RISCLIPEncoder takes CLIP.s own ViT as image tower, as of ViT-B-16, but got a CLIPResNet'),
    ])
    def test_values(self, options, message):
        with pytest.raises(ValueError, match=message):
            RISCLIPEncoder(**settings(**options))
