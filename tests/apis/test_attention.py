"""Where models look: the weights against explicit sums, and their way to the original pixels."""

import math

import numpy as np
import pytest
import torch
from mmengine.config import Config
from torch import Tensor, nn

from mmris.apis import Predictor
from mmris.apis.attention import AttentionMap, AttentionPredictor, summarise_maps
from mmris.structures import ExpressionBatch
from tests.conftest import tiny_config
from tests.models import plain_shared
from tests.models.plain_shared import linear, part
from tests.test_configs import TOY_SWIN

SHARED, CM_MASKSD = 'shared_ris/tiny_shaperef.py', 'cm_masksd/vit-tiny_shaperef.py'
# An input of 64 x 64 pixels has 8 x 8 patches; the first and last row of them are letterbox border, and 9 x 9 original
# pixels fall on each of the others, so that one pixel lies on each patch's centre.
HEIGHT, WIDTH = 54, 72
SENTENCE = 'the red circle'


def photograph() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def at_centres(values: np.ndarray) -> np.ndarray:
    """Values ``(6, 8)`` at the centres of the patches that hold image."""
    return values[4::9, 4::9]


def build(config: Config) -> AttentionPredictor:
    """With random weights that leave no norm or bias where it starts, and an image."""
    torch.manual_seed(0)
    predictor = AttentionPredictor(config, device='cpu')
    torch.manual_seed(0)
    with torch.no_grad():
        for value in predictor.model.parameters():
            value.add_(0.2 * torch.randn_like(value))
    predictor.set_image(photograph())
    return predictor


def with_model(name: str, **changes: dict) -> Config:
    config = tiny_config(name)
    config.merge_from_dict(dict(model=changes))
    return config


@pytest.fixture(scope='module')
def shared() -> AttentionPredictor:
    return build(tiny_config(SHARED))


def passes(predictor: Predictor, sentence: str = SENTENCE) -> tuple:
    """What the encoder gives for a sentence, and the neck."""
    model = predictor.model
    expressions = ExpressionBatch(*predictor._tokenizer([sentence]), torch.zeros(1, dtype=torch.int64))
    with torch.inference_mode():
        text = model.encoder.encode_text(model.encoder.embed_text(expressions))
        encoded = model.encoder.join(predictor._current.image.state, text, expressions.image_index)
        return encoded, model.neck(encoded)


def of_part(predictor: AttentionPredictor, name: str) -> list:
    return [one for one in predictor.look(SENTENCE).maps if one.part == name]


def check_row(one: AttentionMap, row: Tensor, words: int) -> None:
    """A map against weights ``(heads, T)`` of one token on class token, patches and so many words."""
    mean = row.mean(dim=0)
    on_patches = mean[1:65]
    assert mean.numel() == 65 + words and one.kind == 'start token on patches'
    assert one.share == pytest.approx(float(on_patches.sum()), rel=1e-4) and 0 < one.share < 1
    assert one.values.shape == (HEIGHT, WIDTH) and one.values.dtype == np.float32
    assert np.allclose(at_centres(one.values), on_patches.view(8, 8)[1:7], rtol=1e-3, atol=1e-7)


class TestSharedRIS:

    def test_maps(self, shared):
        maps = shared.look(SENTENCE).maps
        assert [(one.part, one.name) for one in maps] == [
            *(('encoder', f'layer {number}') for number in (1, 2, 3, 4)),
            *(('neck', f'stage {number}') for number in (1, 2, 3, 4)), ('decoder', 'layer 1')
        ]

    @torch.inference_mode()
    def test_encoder(self, shared):
        """The start token's row of each layer, given what the layer before put out."""
        encoded, _ = passes(shared)
        found, layers = of_part(shared, 'encoder'), shared.model.encoder.layers
        for number in (1, 2, 3):
            image, words = plain_shared.stage_tokens(encoded, number - 1, 0)
            weights = layers[number].attention_weights(image[None], words[None], None)[0]
            check_row(found[number], weights[:, 65], len(words))

    def test_taps(self, shared):
        predictor = build(with_model(SHARED, encoder=dict(taps=(2, 4)), neck=dict(in_channels=(64, 64))))
        every, some = of_part(shared, 'encoder'), of_part(predictor, 'encoder')
        assert [one.name for one in some] == ['layer 2', 'layer 4']
        for mine, theirs in zip(some, every[1::2]):
            assert np.allclose(mine.values, theirs.values, rtol=1e-4)

    @pytest.mark.parametrize('fusion', ['self_attention', 'cross_attention', 'bidirectional'])
    def test_neck_and_decoder(self, fusion):
        """Padding is left out of what they are compared with."""
        predictor = build(with_model(SHARED, neck=dict(fusion=fusion), decoder=dict(fusion=fusion, num_layers=2)))
        encoded, fused = passes(predictor)
        found, state = of_part(predictor, 'neck'), predictor.model.neck.state_dict()
        assert len(found) == 4 and {one.part for one in found} == {'neck'}
        for stage in (0, 3):
            image, words = plain_shared.stage_tokens(encoded, stage, 0)
            image = linear(part(state, f'image_projections.{stage}'), image)
            words = linear(part(state, f'word_projections.{stage}'), words)
            self.check(found[stage], part(state, f'fusions.{stage}'), image, words, fusion)
        found, state = of_part(predictor, 'decoder'), predictor.model.decoder.state_dict()
        assert [one.name for one in found] == ['layer 1', 'layer 2']
        image, words = plain_shared.image_tokens(fused, 0), fused.words[0][fused.token_mask[0]]
        for number, one in enumerate(found):
            self.check(one, part(state, f'layers.{number}'), image, words, fusion)
            image, words = plain_shared.fusion_layer(part(state, f'layers.{number}'), image, words, fusion, heads=4)

    @staticmethod
    def check(one: AttentionMap, state: dict, image: Tensor, words: Tensor, fusion: str) -> None:
        norm, attend = part(state, 'norm'), part(state, 'attention')
        image, words = plain_shared.layer_norm(norm, image), plain_shared.layer_norm(norm, words)
        if fusion == 'bidirectional':
            width = 4 * image.size(1)
            query = linear(part(attend, 'word_query_value'), words)[:1, :width].split(width // 4, dim=1)
            key = linear(part(attend, 'image_query_value'), image)[:, :width].split(width // 4, dim=1)
            row = torch.stack([plain_shared.weights(mine, theirs)[0] for mine, theirs in zip(query, key)])
            check_row(one, row, words=0)
        elif fusion == 'self_attention':
            tokens = torch.cat((image, words))
            _, matrices = plain_shared.attention(attend, tokens, tokens, heads=4)
            check_row(one, matrices[:, 65], len(words))
        else:
            _, matrices = plain_shared.attention(attend, image, words, heads=4)
            check_words(one, matrices[:, 1:])

    def test_look_predicts_the_same_and_leaves_nothing(self, shared):
        plain = Predictor(tiny_config(SHARED), device='cpu')
        plain.model.load_state_dict(shared.model.state_dict())
        plain.set_image(photograph())
        for sentence in (SENTENCE, 'left one'):
            assert np.array_equal(shared.look(sentence).prediction.probabilities, plain.predict(sentence).probabilities)
        assert not any(module._forward_pre_hooks for module in shared.model.modules())

    def test_nothing_is_left_after_an_error(self, shared, tmp_path):
        (tmp_path / 'text.jpg').write_text('not an image')
        with pytest.raises(ValueError, match='text.jpg is of no image format that Pillow reads'):
            shared.set_image(tmp_path / 'text.jpg')
        without = AttentionPredictor(tiny_config(SHARED), device='cpu')
        with pytest.raises(RuntimeError, match='no image yet: call set_image first'):
            without.look(SENTENCE)
        for predictor in (shared, without):
            assert not any(module._forward_pre_hooks for module in predictor.model.modules())

    def test_pwam(self):
        neck = dict(_delete_=True, type='PWAMNeck', in_channels=(64, ) * 4, channels=32)
        predictor = build(with_model(SHARED, neck=neck, decoder=dict(word_channels=64)))
        encoded, _ = passes(predictor)
        found, state = of_part(predictor, 'neck'), predictor.model.neck.state_dict()
        for stage in (0, 3):
            own = part(state, f'attentions.{stage}')
            image, words = plain_shared.stage_tokens(encoded, stage, 0)
            query = plain_shared.instance_norm(plain_shared.pointwise(part(own, 'query.0'), image[1:]))
            weights = plain_shared.weights(query, linear(part(own, 'key_value'), words)[:, :64])
            check_words(found[stage], weights[None])


def check_words(one: AttentionMap, matrices: Tensor) -> None:
    """A map against weights ``(heads, pixels, words)``, start and end token among the words."""
    on_words = matrices.mean(dim=0)[:, 1:-1].sum(dim=1).view(8, 8)
    assert one.kind == 'pixels on words' and one.share is None
    assert np.allclose(at_centres(one.values), on_words[1:7], rtol=1e-3, atol=1e-6)


def split_heads(attention: nn.MultiheadAttention, tokens: Tensor, name: str) -> Tensor:
    """Queries or keys ``(heads, T, channels / heads)`` of PyTorch's own module."""
    width = attention.embed_dim
    place = dict(q=0, k=1)[name]
    bias = attention.in_proj_bias[place * width:(place + 1) * width]
    if attention.in_proj_weight is None:
        weight = getattr(attention, f'{name}_proj_weight')
    else:
        weight = attention.in_proj_weight[place * width:(place + 1) * width]
    return (tokens @ weight.T + bias).unflatten(1, (attention.num_heads, -1)).transpose(0, 1)


class TestTwoTowers:

    @pytest.fixture(scope='class')
    def vit(self) -> AttentionPredictor:
        return build(tiny_config(CM_MASKSD))

    def test_maps(self, vit):
        assert [(one.part, one.name, one.kind) for one in vit.look(SENTENCE).maps] == [
            ('encoder', 'block 3', 'class token on patches'),
            ('encoder', 'joint space', 'sentence with patches'),
            ('decoder', 'layer 1', 'pixels on words'),
        ]

    @torch.inference_mode()
    def test_class_token(self, vit):
        block = vit.model.encoder.image.clip.transformer.resblocks[-1]
        inputs = []
        handle = block.register_forward_pre_hook(lambda _, arguments: inputs.append(block.ln_1(arguments[0])[0]))
        vit.set_image(photograph())
        handle.remove()
        query, key = (split_heads(block.attn, inputs[0], name) for name in 'qk')
        weights = (query[:, :1] @ key.transpose(1, 2) / math.sqrt(query.size(-1))).softmax(dim=-1).mean(dim=0)[0]
        for sentence in (SENTENCE, 'left one'):
            found = vit.look(sentence).maps[0]
            assert found.share == pytest.approx(1 - float(weights[0]), rel=1e-4)
            assert np.allclose(at_centres(found.values), weights[1:].view(8, 8)[1:7], rtol=1e-3)

    @torch.inference_mode()
    def test_sentence_with_patches(self, vit):
        """Dot products may be negative."""
        encoded, _ = passes(vit)
        products = (encoded.image.patches[0] * encoded.text.sentence[0]).sum(dim=1).view(8, 8)
        found = vit.look(SENTENCE).maps[1]
        assert found.share is None
        assert np.allclose(at_centres(found.values), products[1:7], atol=1e-4 * float(products.abs().max()))
        assert found.heat.min() == 0 and found.heat.max() == 1

    @torch.inference_mode()
    def test_pixels_on_words(self, vit):
        layer = vit.model.decoder.layers[0]
        queries, keys = [], []

        def keep(module: nn.Module, arguments: tuple, options: dict) -> None:
            queries.append(arguments[0][0])
            keys.append(arguments[1][0][~options['key_padding_mask'][0]])

        handle = layer.cross_attention.register_forward_pre_hook(keep, with_kwargs=True)
        vit.predict(SENTENCE)
        handle.remove()
        query = split_heads(layer.cross_attention, queries[0], 'q')
        key = split_heads(layer.cross_attention, keys[0], 'k')
        assert key.size(1) == 5
        weights = (query @ key.transpose(1, 2) / math.sqrt(query.size(-1))).softmax(dim=-1)
        check_words(vit.look(SENTENCE).maps[2], weights)

    def test_a_resnet(self):
        """Its stages lie on several grids; the decoder is on the middle one's."""
        predictor = build(tiny_config('cris/rn-tiny_shaperef.py'))
        assert [(one.part, one.kind) for one in predictor.look(SENTENCE).maps] == [
            ('encoder', 'sentence with patches'), ('decoder', 'pixels on words')]

    def test_a_swin(self):
        config = with_model(CM_MASKSD, encoder=dict(image=dict(TOY_SWIN)))
        encoder = config.model.encoder
        encoder.pop('taps', None)
        width = encoder.architecture.embed_dim
        config.model.neck.in_channels = (16, 32, width)
        assert [one.kind for one in build(config).look(SENTENCE).maps] == ['sentence with patches', 'pixels on words']

    def test_a_joint_encoder_before_cris(self):
        predictor = build(tiny_config('cm_masksd/beit3-tiny_shaperef.py'))
        kinds = [one.kind for one in predictor.look(SENTENCE).maps]
        taps = len(predictor.model.encoder.taps)
        assert kinds == ['start token on patches'] * taps + ['pixels on words']


def a_map(part: str, name: str, values: list, share: float = None, kind: str = 'start token on patches'):
    return AttentionMap(part=part, name=name, kind=kind, values=np.array([values], dtype=np.float32), share=share)


def test_heat():
    assert a_map('neck', 'a', [0.1, 0.2], share=0.3).heat.tolist() == [[0.5, 1]]
    assert a_map('neck', 'a', [-4, -2, 0]).heat.tolist() == [[0, 0.5, 1]]
    assert a_map('neck', 'a', [3, 3]).heat.tolist() == [[0, 0]]
    assert a_map('neck', 'a', [0, 0], share=0.0).heat.tolist() == [[0, 0]]


def test_summary():
    """The last of encoder and decoder, the mean of a neck."""
    maps = [
        a_map('encoder', 'layer 1', [1, 0], 0.1), a_map('encoder', 'layer 2', [0, 1], 0.2),
        a_map('neck', 'stage 1', [0.25, 0], 0.5), a_map('neck', 'stage 2', [0.75, 0.5], 1.0),
        a_map('decoder', 'layer 1', [1, 0], 0.1), a_map('decoder', 'layer 2', [0, 1], 0.4)
    ]
    found = summarise_maps(maps)
    assert found[0] is maps[1] and found[2] is maps[5] and len(found) == 3
    assert (found[1].part, found[1].name, found[1].share) == ('neck', 'mean of 2', 0.75)
    assert found[1].values.tolist() == [[0.5, 0.25]]
    clip = [a_map('encoder', 'block 3', [1, 0], 0.1, kind='class token on patches'),
            a_map('encoder', 'joint space', [1, 0], kind='sentence with patches')]
    assert summarise_maps(clip) == clip
