"""The plain DETRIS against modules of PyTorch, timm and open_clip, so that it can stand for the published code."""

from functools import partial

import open_clip
import pytest
import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.models.plain_shared import part
from tests.parity import plain_detris as plain
from tests.parity.comparing import close, module_of
from tests.parity.plain_cris import PlainDecoder, PlainHead
from tests.parity.plain_detris_towers import (
    dense_block,
    grid_positions,
    image_adapter,
    image_block,
    text_adapter,
    text_block,
)
from tests.parity.toy_detris import HEADS, TAPS, toy_inputs, toy_state

# Stored in published files, and read by nothing.
DEAD = ('dinov2.mask_token', 'txt_backbone.logit_scale')


@pytest.fixture(autouse=True)
def double():
    """Modules of the libraries, and the tables of the plain CRIS, are made in float64."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def without_adapters(state: dict) -> dict:
    """Adapters stay, and give zero."""
    return {name: torch.zeros_like(value) if '.D_fc2.' in name else value for name, value in state.items()}


class Branch(nn.Sequential):

    def __init__(self, dimensions: int, inputs: int, outputs: int, size: int) -> None:
        convolution, norm = ((nn.Conv1d, nn.BatchNorm1d), (nn.Conv2d, nn.BatchNorm2d))[dimensions - 1]
        super().__init__()
        self.add_module('conv', convolution(inputs, outputs, size, padding='same'))
        self.add_module('bn', norm(outputs, eps=1e-3))
        self.add_module('act', nn.ReLU())


def dense_modules(state: dict, dimensions: int, a: int, training: bool) -> nn.ModuleDict:
    tree = nn.ModuleDict(
        dict(
            dense_branch1=Branch(dimensions, a, a // 2, 1),
            dense_branch2=nn.Sequential(
                Branch(dimensions, a + a // 2, a // 16, 1), Branch(dimensions, a // 16, a // 4, 3)),
            dense_branch3=nn.Sequential(
                Branch(dimensions, a + a // 2 + a // 4, a // 16, 1), Branch(dimensions, a // 16, a // 4, 5))))
    return module_of(tree, {name: value for name, value in state.items() if name.startswith('dense')}, training)


def dense_result(modules: nn.ModuleDict, x: Tensor) -> Tensor:
    first = modules['dense_branch1'](x)
    second = modules['dense_branch2'](torch.cat([x, first], 1))
    return torch.cat([first, second, modules['dense_branch3'](torch.cat([x, first, second], 1))], 1)


TEXT, IMAGE = 'txt_backbone.transformer.resblocks.1', 'dinov2.blocks.1'


@pytest.mark.parametrize('training', [False, True])
@pytest.mark.parametrize('block, shape', [(TEXT, (3, 16, 9)), (IMAGE, (3, 32, 4, 5))], ids=['text', 'image'])
def test_dense_block(block, shape, training):
    state = part(toy_state(), f'{block}.adapter')
    x = torch.randn(shape)
    expected = dense_result(dense_modules(state, len(shape) - 2, shape[1], training), x)
    close(dense_block(state, x, training), expected)


def test_text_adapter():
    state = part(toy_state(), f'{TEXT}.adapter')
    modules = dense_modules(state, 1, 16, training=False)
    tokens = torch.randn(3, 9, 16)
    hidden = F.relu(F.linear(tokens, state['D_fc1.weight'], state['D_fc1.bias']))
    changed = hidden.clone()
    changed[:, 1:] = dense_result(modules, hidden[:, 1:].mT).mT
    close(text_adapter(state, tokens, False), F.linear(changed + hidden, state['D_fc2.weight'], state['D_fc2.bias']))


def test_image_adapter():
    state = part(toy_state(), f'{IMAGE}.adapter')
    modules = dense_modules(state, 2, 32, training=False)
    attention = module_of(nn.MultiheadAttention(8, 2, batch_first=True), part(state, 'cross.multihead_attn'))

    def mapped(name: str, x: Tensor) -> Tensor:
        return F.linear(x, state[f'{name}.weight'], state[f'{name}.bias'])

    tokens, words = torch.randn(3, 5 + 12, 24), torch.randn(3, 9, 16)
    hidden = F.relu(mapped('D_fc1', tokens))
    maps = hidden[:, 5:].mT.reshape(3, 32, 3, 4)
    maps = dense_result(modules, maps) + maps
    words_of_it = mapped('cross.text_proj', words)
    taken = attention(mapped('cross.image_proj', maps.flatten(2).mT), words_of_it, words_of_it)[0]
    changed = torch.cat([hidden[:, :5], mapped('cross.back_proj', taken)], 1)
    close(image_adapter(state, tokens, words, (3, 4), 2, False), mapped('D_fc2', changed + hidden))


def test_adapters_share():
    state = part(toy_state(), IMAGE)
    tokens, words = torch.randn(3, 5 + 12, 24), torch.randn(3, 9, 16)
    block = timm.models.vision_transformer.Block(
        24, 2, qkv_bias=True, init_values=1.0, norm_layer=partial(nn.LayerNorm, eps=1e-6))
    module_of(block, {name: value for name, value in state.items() if not name.startswith('adapter.')})
    halfway = tokens + block.ls1(block.attn(block.norm1(tokens)))
    normed = block.norm2(halfway)
    beside = image_adapter(part(state, 'adapter'), normed, words, (3, 4), 2, False)
    close(image_block(state, tokens, words, (3, 4), 2, 2, False), halfway + block.ls2(block.mlp(normed) + 0.2 * beside))


def test_text_adapter_reads_tokens_before_the_norm():
    state, tokens = part(toy_state(), TEXT), torch.randn(3, 9, 16)
    block = open_clip.transformer.ResidualAttentionBlock(16, 2, act_layer=open_clip.model.QuickGELU)
    module_of(block, {name: value for name, value in state.items() if not name.startswith('adapter.')})
    future = torch.full((9, 9), -torch.inf).triu(1)
    halfway = tokens + block.attention(block.ln_1(tokens), attn_mask=future)
    expected = halfway + block.mlp(block.ln_2(halfway)) + 0.2 * text_adapter(part(state, 'adapter'), halfway, False)
    close(text_block(state, tokens, 2, False), expected)


def test_text_of_clip():
    state, inputs = toy_state(), toy_inputs()
    tower = open_clip.transformer.TextTransformer(12, 64, 16, 2, 3, output_dim=20, act_layer=open_clip.model.QuickGELU,
                                                  output_tokens=True)
    module_of(tower, {name: value for name, value in part(state, 'txt_backbone').items()
                      if '.adapter.' not in name and name != 'logit_scale'})
    words, sentence = plain.text(without_adapters(state), inputs['token_ids'], 2)
    expected_sentence, expected_words = tower(inputs['token_ids'])
    close(words, expected_words)
    close(sentence, expected_sentence)
    assert not torch.allclose(plain.text(state, inputs['token_ids'], 2)[0], words, atol=0.01)


def test_text_convolutions_look_ahead():
    """The wider convolution reads what the narrower one made, so three tokens before the changed one see it."""
    token_ids = torch.tensor([[62, 5, 6, 7, 8, 9, 63, 0]])
    changed = token_ids.clone()
    changed[0, 5] = 10
    # Wide enough that no rectified map is zero everywhere.
    adapted = toy_state(text_adapter_width=64)
    for state, first in ((adapted, 2), (without_adapters(adapted), 5)):
        one, other = (plain.text(state, ids, 2)[0] for ids in (token_ids, changed))
        moved = ((one - other).abs().amax(dim=2) > 1e-9)[0]
        assert moved.tolist() == [index >= first for index in range(8)]


def test_image_tower_of_timm():
    state, inputs = toy_state(), toy_inputs(side=70)
    tower = timm.create_model(
        'vit_base_patch14_reg4_dinov2', img_size=70, embed_dim=24, depth=4, num_heads=2, num_classes=0)
    theirs = {name: value for name, value in part(state, 'dinov2').items()
              if '.adapter.' not in name and name != 'mask_token'}
    positions = theirs.pop('pos_embed')
    theirs.update(
        cls_token=theirs['cls_token'] + positions[:, :1],
        pos_embed=positions[:, 1:],
        reg_token=theirs.pop('register_tokens'))
    module_of(tower, theirs)
    stages = plain.image_stages(without_adapters(state), inputs['pixels'], torch.randn(3, 9, 16), 2, TAPS, 2)
    expected = tower.forward_intermediates(inputs['pixels'], indices=[1, 2, 3], intermediates_only=True)
    for stage, wanted in zip(stages[:2], expected):
        close(stage, wanted)
    close(stages[2].flatten(2).mT, tower.forward_features(inputs['pixels'])[:, 5:])


def test_positions():
    learned = torch.randn(1, 37 * 37, 3)
    grid = learned.mT.reshape(1, 3, 37, 37)
    for height, width in ((32, 32), (32, 40), (37, 32)):
        scale = ((height + 0.1) / 37, (width + 0.1) / 37)
        expected = F.interpolate(grid, scale_factor=scale, mode='bicubic')
        close(grid_positions(learned, height, width), expected[0].flatten(1).T)
    assert torch.equal(grid_positions(learned, 37, 37), learned[0])


@pytest.mark.parametrize('training', [False, True])
def test_neck(training):
    state = part(toy_state(), 'neck')
    stages, sentence = [torch.randn(3, 24, 4, 5) for _ in range(3)], torch.randn(3, 20)
    key = F.linear(sentence, state['txt_proj.weight'], state['txt_proj.bias'])[:, None]

    def convolutions(name: str, inputs: int, size: int, kind: type = nn.Conv2d) -> nn.Module:
        layer = kind(inputs, 16, size, padding=size // 2, bias=False)
        return module_of(nn.Sequential(layer, nn.BatchNorm2d(16), nn.ReLU()), part(state, name), training)

    maps = []
    for name, kind, stage in zip('345', (nn.Conv2d, nn.Conv2d, nn.ConvTranspose2d), stages):
        projected = convolutions(f'f{name}_proj', 24, 1, kind)(stage)
        attention = nn.MultiheadAttention(16, 2, batch_first=True)
        module_of(attention, part(state, f'fusion{name}.multihead_attn'), training)
        taken = attention(projected.flatten(2).mT, key, key)[0]
        maps.append(projected * taken.mT.unflatten(2, (4, 5)))
    fused = convolutions('aggr', 48, 1)(torch.cat(maps, 1))
    y, x = torch.meshgrid(torch.linspace(-1, 1, 4), torch.linspace(-1, 1, 5), indexing='ij')
    located = torch.cat([fused, torch.stack([x, y]).expand(3, -1, -1, -1)], 1)
    expected = convolutions('coordconv.1', 16, 3)(convolutions('coordconv.0.conv1', 18, 3)(located)) + fused
    close(plain.neck({f'neck.{name}': value for name, value in state.items()}, stages, sentence, training), expected)


def test_decoder_and_head_of_cris():
    state, token_mask = toy_state(), toy_inputs()['token_ids'] > 0
    fused, words, sentence = torch.randn(3, 16, 4, 5), torch.randn(3, 12, 16), torch.randn(3, 20)
    decoder = module_of(PlainDecoder(2, 16, 16, 2, 24), part(state, 'decoder'))
    head = module_of(PlainHead(16, 20), part(state, 'proj'))
    decoded = plain.decode(state, fused, words, ~token_mask, 2)
    close(decoded, decoder(fused, words, token_mask))
    close(plain.logits(state, decoded, sentence), head(decoded, sentence))


def test_loss():
    predicted, masks = 10 * torch.randn(3, 1, 16, 16), torch.rand(3, 56, 56) < 0.3
    nearest = F.interpolate(masks[:, None].double(), (16, 16), mode='nearest')
    close(plain.training_loss(predicted, masks), F.binary_cross_entropy_with_logits(predicted, nearest))


@pytest.mark.parametrize('training', [False, True])
def test_gradients(training):
    state, inputs = toy_state(), toy_inputs()
    weights = {name: value for name, value in state.items()
               if value.is_floating_point() and 'running_' not in name}
    before = {name: value.clone() for name, value in state.items()}
    for value in weights.values():
        value.requires_grad_()
    predicted = plain.detris(
        state, inputs['pixels'], inputs['token_ids'], heads=HEADS, taps=TAPS, training=training)
    assert predicted.shape == (3, 1, 16, 16)
    plain.training_loss(predicted, inputs['masks']).backward()
    assert {name for name, value in weights.items() if value.grad is None} == set(DEAD)
    for name in set(weights).difference(DEAD):
        assert weights[name].grad.isfinite().all(), name
        # Biases before BatchNorm and those of keys have no gradient to speak of.
        assert weights[name].grad.abs().max() > 1e-9 or name.endswith('bias'), name
    # Queries and keys of the neck's attention are stored, and take part in nothing.
    for number in '345':
        assert not weights[f'neck.fusion{number}.multihead_attn.in_proj_weight'].grad[:32].any()
    assert all(torch.equal(value, before[name]) for name, value in state.items())


def test_rows_are_independent_in_evaluation():
    state, inputs = toy_state(), toy_inputs()
    pixels, token_ids = inputs['pixels'], inputs['token_ids']
    alone = [plain.detris(state, pixels[[row]], token_ids[[row]], heads=HEADS, taps=TAPS) for row in range(3)]
    close(plain.detris(state, pixels, token_ids, heads=HEADS, taps=TAPS), torch.cat(alone))
