"""Wrong readings of LAVT: each must show at toy size, so that a comparison with the plain LAVT finds it.

A reading changes the plain functions or the states, and gets what it replaces as its first argument.
"""

from typing import Callable, List, Tuple

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.models.plain_shared import linear, part
from tests.parity import plain_bert, plain_lavt, plain_swin
from tests.parity.toy_lavt import ARCHITECTURE, toy_inputs, toy_states

#: A difference of the largest logit; an exact comparison in float64 allows less than 1e-9.
SHOWN = 1e-6
#: What the reading is, where it is, the function or number that it replaces, and by what.
READINGS: List[Tuple[str, object, str, Callable]] = []


def reading(name: str, module: object, replaced: str) -> Callable:

    def add(function: Callable) -> Callable:
        READINGS.append((name, module, replaced, function))
        return function

    return add


def tanh_gelu(_: Callable, x: Tensor) -> Tensor:
    return F.gelu(x, approximate='tanh')


reading('ReLU in PWAM', plain_lavt, 'gelu')(lambda _, x: x.relu())
reading('GELU by tanh in PWAM', plain_lavt, 'gelu')(tanh_gelu)
reading('GELU by tanh in Swin', plain_swin, 'gelu')(tanh_gelu)
reading('GELU by tanh in BERT', plain_bert, 'gelu')(tanh_gelu)

# Norms.
reading('InstanceNorm with unbiased variance', plain_lavt, 'instance_norm')(
    lambda _, x: (x - x.mean(dim=2, keepdim=True)) / (x.var(dim=2, keepdim=True) + 1e-5).sqrt())
reading('InstanceNorm of another epsilon', plain_lavt, 'instance_norm')(lambda _, x: F.instance_norm(x, eps=1e-3))
reading('LayerNorm for InstanceNorm', plain_lavt, 'instance_norm')(lambda _, x: F.layer_norm(x.mT, x.shape[1:2]).mT)
reading('statistics of all rows', plain_lavt, 'instance_norm')(lambda _, x: F.batch_norm(x, None, None, training=True))
reading('LayerNorm of another epsilon in Swin', plain_swin, 'layer_norm')(lambda old, state, x: old(state, x, 1e-6))
reading('LayerNorm of another epsilon for the decoder', plain_lavt, 'layer_norm')(
    lambda old, state, x: old(state, x, 1e-6))
reading('LayerNorm of another epsilon in BERT', plain_bert, 'layer_norm')(
    lambda old, state, x, _: old(state, x, 1e-5))
reading('BatchNorm of another epsilon', plain_lavt, 'batch_norm')(
    lambda old, state, x, training, epsilon: old(state, x, training, 1e-3))
reading('no norm for the decoder', plain_lavt, 'output_norm')(lambda _, state, fused: fused)

# The gate.
reading('gate with sigmoid', plain_lavt, 'gate')(lambda old, state, fused: torch.sigmoid(old(state, fused).atanh()))
reading('gate without ReLU', plain_lavt, 'gate')(
    lambda _, state, x: linear(part(state, '2'), linear(part(state, '0'), x.movedim(1, 3))).tanh().movedim(3, 1))
reading('gate of x', plain_lavt, 'passed_on')(
    lambda _, state, x, fused: x + plain_lavt.gate(part(state, 'res_gate'), x) * fused)
reading('gate on x', plain_lavt, 'passed_on')(
    lambda _, state, x, fused: fused + plain_lavt.gate(part(state, 'res_gate'), fused) * x)
reading('no shortcut beside the gate', plain_lavt, 'passed_on')(lambda old, state, x, fused: old(state, x, fused) - x)
reading('no gate', plain_lavt, 'passed_on')(lambda _, state, x, fused: x + fused)
reading('x goes on', plain_lavt, 'passed_on')(lambda _, state, x, fused: x)

# Swin.
reading('no shift', plain_swin, 'block')(lambda old, state, x, heads, window, shift: old(state, x, heads, window, 0))
reading('the first block shifts', plain_swin, 'block')(
    lambda old, state, x, heads, window, shift: old(state, x, heads, window, window // 2 - shift))
reading('no shift in a map of one window', plain_swin, 'block')(
    lambda old, state, x, heads, window, shift: old(state, x, heads, window, shift * (max(x.shape[1:3]) > window)))
reading('shift by less', plain_swin, 'block')(
    lambda old, state, x, heads, window, shift: old(state, x, heads, window, shift // 2))
reading('regions see one another', plain_swin, 'window_cells')(
    lambda old, *sizes: (old(*sizes)[0], torch.zeros_like(old(*sizes)[1])))
reading('shift before padding, as timm', plain_swin, 'window_attention')(
    lambda old, state, x, heads, window, shift: old(state, x.roll((-shift, -shift), (1, 2)), heads, window, 0).roll(
        (shift, shift), (1, 2)))
reading('padding around the map', plain_swin, 'padded')(
    lambda _, x, multiple: F.pad(x, (0, 0, -x.size(2) % multiple, 0, -x.size(1) % multiple, 0)))
reading('padding repeats the edge', plain_swin, 'padded')(
    lambda _, x, multiple: F.pad(x.movedim(3, 1), (0, -x.size(2) % multiple, 0, -x.size(1) % multiple),
                                 mode='replicate').movedim(1, 3))
reading('merging leaves an odd line out', plain_lavt, 'merge')(
    lambda old, state, x: F.pad(old(state, x[:, :x.size(1) // 2 * 2, :x.size(2) // 2 * 2]),
                                (0, 0, 0, x.size(2) % 2, 0, x.size(1) % 2)))
reading('relative positions from the key', plain_swin, 'relative_rows')(lambda old, window: old(window).T)


@reading('windows do not see padding', plain_swin, 'window_cells')
def padding_masked(old: Callable, height: int, width: int, window: int, shift: int) -> Tuple[Tensor, Tensor]:
    """Below the grids of 80 x 64, whose heights follow from the padded ones. A cell still sees itself."""
    cells, forbidden = old(height, width, window, shift)
    inside = {20: 20, 12: 10, 8: 5, 4: 3}[height]
    outside = (cells // width >= inside)[:, None, :].expand_as(forbidden)
    return cells, forbidden | (outside & ~torch.eye(window**2, dtype=torch.bool))


@reading('relative columns ahead of rows', plain_swin, 'relative_rows')
def columns_ahead(old: Callable, window: int) -> Tensor:
    side = 2 * window - 1
    return old(window) % side * side + old(window) // side


@reading('padding is not zero', plain_swin, 'window_attention')
def other_padding(old: Callable, state: dict, x: Tensor, heads: int, window: int, shift: int) -> Tensor:
    """As where maps are padded before the norm, which makes its bias of zeros."""
    height, width = x.shape[1:3]
    whole = F.pad(x, (0, 0, 0, -width % window, 0, -height % window), value=0.3)
    return old(state, whole, heads, window, shift)[:, :height, :width]


# The words.
reading('no scale', plain_lavt, 'word_attention')(
    lambda old, state, pixels, words, mask: old(
        {**state, 'f_key.0.weight': pixels.size(1)**0.5 * state['f_key.0.weight']}, pixels, words, mask))
reading('query without its norm', plain_lavt, 'word_attention')(
    lambda old, state, pixels, words, mask: without_norm(old, 0, state, pixels, words, mask))
reading('G without its norm', plain_lavt, 'word_attention')(
    lambda old, state, pixels, words, mask: without_norm(old, 1, state, pixels, words, mask))
reading('pixels see padding', plain_lavt, 'word_attention')(
    lambda old, state, pixels, words, mask: old(state, pixels, words, torch.ones_like(mask)))
reading('BERT sees padding', plain_lavt, 'bert')(
    lambda old, state, ids, mask, heads: old(state, ids, torch.ones_like(mask), heads))
reading('other heads in BERT', plain_lavt, 'bert')(lambda old, state, ids, mask, heads: old(state, ids, mask, 2))
reading('BERT without its last layer', plain_lavt, 'bert')(
    lambda old, state, *others: old({name: value for name, value in state.items() if '.layer.1.' not in name}, *others))


def without_norm(old: Callable, number: int, *inputs: object) -> Tensor:
    """The word attention, whose n-th InstanceNorm does nothing."""
    norm, calls = plain_lavt.instance_norm, []

    def counted(x: Tensor) -> Tensor:
        calls.append(x)
        return x if len(calls) == number + 1 else norm(x)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plain_lavt, 'instance_norm', counted)
        return old(*inputs)


@reading('padding is zero, and not masked', plain_lavt, 'word_attention')
def zero_alone(old: Callable, *inputs: object) -> Tensor:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plain_lavt, 'PADDING_SCORE', 0.0)
        return old(*inputs)


@reading('sum for the product', plain_lavt, 'fuse')
def added(_: Callable, state: dict, x: Tensor, words: Tensor, mask: Tensor) -> Tensor:
    pixels = x.flatten(2)
    taken = plain_lavt.word_attention(part(state, 'image_lang_att'), pixels, words, mask)
    mixed = F.gelu(plain_lavt.convolution(part(state, 'vis_project.0'), pixels)) + taken
    return F.gelu(plain_lavt.convolution(part(state, 'project_mm.0'), mixed)).unflatten(2, x.shape[2:])


# The decoder.
reading('corners not aligned', plain_lavt, 'enlarged')(
    lambda _, x, size: F.interpolate(x, size, mode='bilinear', align_corners=False))
reading('nearest neighbour', plain_lavt, 'enlarged')(lambda _, x, size: F.interpolate(x, size))
reading('the stage ahead of what is below', plain_lavt, 'level')(
    lambda old, state, deep, stage, number, training: old(
        {**state, f'conv1_{number}.weight': state[f'conv1_{number}.weight'].roll(stage.size(1), 1)}, deep, stage,
        number, training))
reading('doubled, then cut, rather than to the grid', plain_lavt, 'enlarged')(
    lambda old, x, size: old(x, [-(-side // length) * length for side, length in zip(size, x.shape[2:])])[
        ..., :size[0], :size[1]])


def result() -> Tensor:
    inputs = toy_inputs(size=(80, 64))
    return plain_lavt.lavt(*toy_states(), inputs['pixels'], inputs['token_ids'], inputs['token_mask'],
                           architecture=ARCHITECTURE)


@pytest.fixture(scope='module')
def right() -> Tensor:
    return result()


@pytest.mark.parametrize('module, replaced, function', [pytest.param(*rest, id=name) for name, *rest in READINGS])
def test_reading(monkeypatch, right, module, replaced, function):
    old = getattr(module, replaced)
    monkeypatch.setattr(module, replaced, lambda *given, **named: function(old, *given, *named.values()))
    assert (result() - right).abs().max() > SHOWN


@pytest.mark.parametrize('source', ['blocks', 'gated'])
def test_what_the_decoder_gets(right, source):
    """Neither x nor the gated sum gives the published result."""
    inputs, (model, bert_model) = toy_inputs(size=(80, 64)), toy_states()
    found = plain_lavt.trace(model, bert_model, inputs['pixels'], inputs['token_ids'], inputs['token_mask'],
                             architecture=ARCHITECTURE)
    maps = [*getattr(found, source)[:3], found.fused[3]]
    stages = [plain_lavt.output_norm(part(model, f'backbone.norm{index}'), one) for index, one in enumerate(maps)]
    _, logits = plain_lavt.decode(part(model, 'classifier'), stages)
    assert (logits - found.grid_logits).abs().max() > SHOWN


def test_shift_to_the_other_side(monkeypatch):
    """Shown by windows of an odd side: with an even one, half a window either way makes the same windows."""
    differences = []
    for window in (3, 4):
        model, _ = toy_states(window=window)
        state = part(model, 'backbone.layers.1')
        x = torch.randn(1, 10, 8, 16, dtype=torch.float64)
        right = plain_swin.blocks(state, x, 2, 2, window)
        with monkeypatch.context() as patch:
            patch.setattr(plain_swin, 'source', lambda place, shift, length: (place - shift) % length)
            differences.append((plain_swin.blocks(state, x, 2, 2, window) - right).abs().max())
    assert differences[0] > SHOWN
    assert differences[1] < 1e-12


def permuted(value: Tensor) -> Tensor:
    return value.unflatten(-1, (4, -1))[..., [0, 2, 1, 3], :].flatten(-2)


@pytest.mark.parametrize('change', [
    pytest.param(lambda name, value: permuted(value) if '.reduction.' in name else value, id='merging by rows'),
    pytest.param(lambda name, value: permuted(value) if '.downsample.norm.' in name else value, id='norm by rows'),
    pytest.param(lambda name, value: 0 * value if 'bias_table' in name else value, id='no relative positions'),
    pytest.param(lambda name, value: 0 * value if 'position_emb' in name else value, id='no positions'),
    pytest.param(lambda name, value: value.flip(0) if 'token_type' in name else value, id='token type 1'),
    pytest.param(lambda name, value: value.flip(0) if 'conv1_1' in name else value, id='classes swapped'),
    pytest.param(lambda name, value: value.mT if 'res_gate' in name else value, id='gate transposed'),
])
def test_states(right, change):
    """Errors of a key map, which leave all shapes as they are."""
    inputs = toy_inputs(size=(80, 64))
    states = [{name: change(name, value) for name, value in state.items()} for state in toy_states()]
    found = plain_lavt.lavt(*states, inputs['pixels'], inputs['token_ids'], inputs['token_mask'],
                            architecture=ARCHITECTURE)
    assert (found - right).abs().max() > SHOWN


@pytest.mark.parametrize('weights', [(1.1, 0.9), (1.0, 1.0)])
def test_loss_weights(monkeypatch, weights):
    logits, masks = torch.randn(2, 2, 8, 8, dtype=torch.float64), toy_inputs(rows=2, size=(8, 8))['masks']
    right = plain_lavt.training_loss(logits, masks)
    monkeypatch.setattr(plain_lavt, 'CLASS_WEIGHTS', weights)
    assert (plain_lavt.training_loss(logits, masks) - right).abs() > SHOWN
