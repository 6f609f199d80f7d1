"""PyTorch's multi-head attention, computed by the fused operator."""

import pytest
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from mmris.models.layers import FusedMultiheadAttention, fuse_attention

CHANNELS, HEADS, CONTEXT = 16, 4, 12


def make_pair(context=None, dropout=0.0):
    """PyTorch's module, and ours with the same weights."""
    torch.manual_seed(0)
    plain = nn.MultiheadAttention(CHANNELS, HEADS, dropout, kdim=context, vdim=context, batch_first=True).double()
    nn.init.normal_(plain.in_proj_bias)
    fused = FusedMultiheadAttention(CHANNELS, HEADS, dropout=dropout, context_channels=context).double()
    fused.load_state_dict(plain.state_dict())
    return plain, fused


def inputs_of(kind):
    query, context = torch.randn(3, 5, CHANNELS).double(), torch.randn(3, 7, CONTEXT).double()
    placed, words = query + 1, torch.randn(3, 7, CHANNELS).double()
    return {
        'self': (query, query, query),
        'placed': (placed, placed, query),
        'words': (query, words + 1, words),
        'context': (query, context + 1, context),
    }[kind]


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('masked', ['', 'padding', 'scores', 'both'])
@pytest.mark.parametrize('kind', ['self', 'placed', 'words', 'context'])
def test_equals_pytorchs_module(kind, masked, training):
    plain, fused = (module.train(training) for module in make_pair(CONTEXT if kind == 'context' else None))
    inputs = inputs_of(kind)
    length = inputs[1].size(1)
    options = dict(need_weights=False)
    if masked in ('padding', 'both'):
        options['key_padding_mask'] = torch.arange(length) >= torch.tensor([[length], [3], [1]])
    if masked in ('scores', 'both'):
        options['attn_mask'] = torch.randn(5, length).double()
    results, gradients = [], []
    for module in (plain, fused):
        given = {id(one): one.clone().requires_grad_() for one in inputs}
        # PyTorch warns of masks of two types; it is given both as numbers.
        own = dict(options)
        if module is plain and masked == 'both':
            own['key_padding_mask'] = torch.zeros(3, length).double().masked_fill(
                options['key_padding_mask'], float('-inf'))
        result, weights = module(*(given[id(one)] for one in inputs), **own)
        assert weights is None
        (result * torch.arange(result.numel()).view_as(result)).sum().backward()
        results.append(result)
        gradients.append([one.grad for one in (*given.values(), *module.parameters())])
    torch.testing.assert_close(results[1], results[0], rtol=1e-12, atol=1e-12)
    for found, wanted in zip(gradients[1], gradients[0]):
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-9)


def test_weights_are_pytorchs():
    plain, fused = make_pair()
    inputs = inputs_of('placed')
    for average in (True, False):
        wanted, found = (module(*inputs, average_attn_weights=average)[1] for module in (plain, fused))
        assert torch.equal(found, wanted)


@pytest.mark.parametrize('options', [
    dict(attn_mask=torch.ones(5, 5).triu(1).bool()),
    dict(attn_mask=torch.randn(3 * HEADS, 5, 5).double()),
    dict(key_padding_mask=torch.zeros(3, 5).double().masked_fill(torch.arange(5) > 2, float('-inf'))),
    dict(attn_mask=torch.ones(5, 5).triu(1).bool(), key_padding_mask=torch.arange(5).expand(3, 5) > 3),
])
def test_other_masks_are_pytorchs_work(options):
    """PyTorch's bool masks hide where the fused operator's show."""
    plain, fused = make_pair()
    inputs = inputs_of('self')
    wanted, found = (module.train()(*inputs, need_weights=False, **options)[0] for module in (plain, fused))
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)


def test_a_single_sequence():
    plain, fused = make_pair()
    inputs = [one[0] for one in inputs_of('words')]
    wanted, found = (module(*inputs, need_weights=False)[0] for module in (plain, fused))
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)


def test_dropout_acts_in_training_alone():
    _, fused = make_pair(dropout=0.5)
    inputs = inputs_of('self')
    first, second = (fused.train()(*inputs, need_weights=False)[0] for _ in range(2))
    assert not torch.equal(first, second)
    first, second = (fused.eval()(*inputs, need_weights=False)[0] for _ in range(2))
    assert torch.equal(first, second)


def test_weights_are_not_copied_for_each_token():
    """PyTorch's module copies them under autocast in evaluation, (T, channels, channels) at a time."""
    copied = []
    for module in (nn.MultiheadAttention(CHANNELS, HEADS, batch_first=True), FusedMultiheadAttention(CHANNELS, HEADS)):
        module.eval()
        pixels, words = torch.randn(2, 50, CHANNELS), torch.randn(2, 50, CHANNELS)
        with torch.no_grad(), torch.autocast('cpu', torch.bfloat16), profile(
                activities=[ProfilerActivity.CPU], record_shapes=True) as recorded:
            module(pixels, words, words, need_weights=False)
        shapes = [event.input_shapes[0] for event in recorded.events() if event.name == 'aten::copy_']
        copied.append([50, CHANNELS, CHANNELS] in shapes)
    if not copied[0]:
        pytest.skip('PyTorch copies nothing on this processor, which has no bfloat16.')
    assert not copied[1]


def test_modules_of_others_are_fused_in_place():
    module = nn.ModuleDict(dict(block=nn.TransformerEncoderLayer(CHANNELS, HEADS, batch_first=True)))
    weights = {name: value.clone() for name, value in module.state_dict().items()}
    fuse_attention(module)
    assert type(module.block.self_attn) is FusedMultiheadAttention
    assert all(torch.equal(value, weights[name]) for name, value in module.state_dict().items())


@pytest.mark.parametrize('options', [
    dict(batch_first=False),
    dict(batch_first=True, bias=False),
    dict(batch_first=True, add_bias_kv=True),
    dict(batch_first=True, add_zero_attn=True),
])
def test_other_forms_are_refused(options):
    module = nn.ModuleDict(dict(attention=nn.MultiheadAttention(CHANNELS, HEADS, **options)))
    with pytest.raises(ValueError, match='^attention is an attention that FusedMultiheadAttention has no form of'):
        fuse_attention(module)
