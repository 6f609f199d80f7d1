"""The plain LAVT against modules of PyTorch, timm, MMPretrain and Transformers, to stand for the published code."""

import pytest
import timm
import torch
import torch.nn.functional as F
from mmpretrain.models.backbones import SwinTransformer
from torch import nn
from transformers import BertConfig, BertModel

from tests.models.plain_shared import part
from tests.parity import plain_lavt as plain
from tests.parity.comparing import close, module_of
from tests.parity.plain_bert import bert
from tests.parity.toy_lavt import ARCHITECTURE, Sizes, toy_inputs, toy_states

#: Stored in published files, and read by nothing.
DEAD = ['backbone.layers.3.res_gate.0.weight', 'backbone.layers.3.res_gate.2.weight']
#: Biases that add the same to all pixels of an InstanceNorm or to all keys of a softmax: the result has none of them.
#: A softmax sums to 1, so those of the values are among them, and so is the bias of all words.
CANCELLED = ('f_query.0.bias', 'f_key.0.bias', 'f_value.0.bias', 'W.0.bias', 'self.key.bias',
             f'encoder.layer.{Sizes().text_depth - 1}.output.LayerNorm.bias')
SIZES = Sizes()


@pytest.fixture(autouse=True)
def double():
    """Modules of the libraries are made in float64."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def traced(states: tuple, inputs: dict, architecture: plain.Architecture = ARCHITECTURE,
           training: bool = False) -> plain.Trace:
    return plain.trace(*states, inputs['pixels'], inputs['token_ids'], inputs['token_mask'], architecture=architecture,
                       training=training)


def test_bert():
    _, state = toy_states()
    config = BertConfig(
        vocab_size=SIZES.vocabulary, hidden_size=SIZES.text_width, num_hidden_layers=SIZES.text_depth,
        num_attention_heads=ARCHITECTURE.text_heads, intermediate_size=SIZES.text_feedforward,
        max_position_embeddings=SIZES.positions)
    theirs = module_of(BertModel(config, add_pooling_layer=False), state)
    inputs = toy_inputs()
    ids, mask = inputs['token_ids'], inputs['token_mask']
    close(bert(state, ids, mask, ARCHITECTURE.text_heads), theirs(ids, mask.long()).last_hidden_state)


def without_gates(model: dict) -> dict:
    """Words change what the decoder gets, not what goes on from stage to stage."""
    return {name: torch.zeros_like(value) if '.res_gate.2.' in name else value for name, value in model.items()}


def swin_of(model: dict) -> dict:
    """Its part of the backbone, by its names."""
    return {name: value for name, value in part(model, 'backbone').items()
            if not any(word in name for word in ('.fusion.', '.res_gate.', 'norm0', 'norm1.', 'norm2.', 'norm3'))
            or '.blocks.' in name}


@pytest.mark.parametrize('window, side', [(4, 256), (3, 192)])
def test_swin_of_timm(window, side):
    """Where windows divide all grids, and none is one window alone, which timm does not shift.

    timm's merging belongs to the next stage.
    """
    model, bert_model = toy_states(window=window)
    theirs = timm.models.SwinTransformer(
        img_size=side, embed_dim=SIZES.width, depths=SIZES.depths, num_heads=SIZES.heads, window_size=window,
        num_classes=0, drop_path_rate=0.0)
    state = {}
    for name, value in swin_of(model).items():
        if '.downsample.' in name:
            stage = int(name.split('.')[1])
            name = name.replace(f'layers.{stage}', f'layers.{stage + 1}')
        state[name] = value
    missing, left = theirs.load_state_dict(state, strict=False)
    assert set(missing) == {'norm.weight', 'norm.bias'}
    assert all(name.endswith('relative_position_index') for name in left)
    theirs.eval()
    inputs = toy_inputs(rows=1, size=(side, side))
    found = traced((without_gates(model), bert_model), inputs, ARCHITECTURE._replace(window=window)).blocks
    x = theirs.patch_embed(inputs['pixels'])
    for stage, mine in zip(theirs.layers, found):
        x = stage(x)
        close(mine.permute(0, 2, 3, 1), x)


def mmpretrain_name(name: str) -> str:
    for ours, other in (('layers.', 'stages.'), ('patch_embed.proj', 'patch_embed.projection'),
                        ('attn.', 'attn.w_msa.'), ('mlp.fc1', 'ffn.layers.0.0'), ('mlp.fc2', 'ffn.layers.1')):
        name = name.replace(ours, other, 1)
    return name


@pytest.mark.parametrize('window', [3, 4])
@pytest.mark.parametrize('size', [(64, 96), (80, 64)])
def test_swin_of_mmpretrain(size, window):
    """With windows that are padded in several stages."""
    model, bert_model = toy_states(window=window)
    theirs = SwinTransformer(
        arch=dict(embed_dims=SIZES.width, depths=SIZES.depths, num_heads=SIZES.heads), img_size=size, patch_size=4,
        window_size=window, drop_path_rate=0.0, out_indices=(0, 1, 2, 3), pad_small_map=True)
    state = {}
    for name, value in swin_of(model).items():
        if '.downsample.' in name:
            value = value.unflatten(-1, (4, -1))[..., [0, 2, 1, 3], :].transpose(-1, -2).flatten(-2)
        state[mmpretrain_name(name)] = value
    norms = {name: value for name, value in part(model, 'backbone').items() if name.startswith('norm')}
    module_of(theirs, {**state, **norms})
    inputs = toy_inputs(size=size)
    found = traced((without_gates(model), bert_model), inputs, ARCHITECTURE._replace(window=window)).blocks
    for index, (mine, wanted) in enumerate(zip(found, theirs(inputs['pixels']))):
        close(plain.output_norm(part(model, f'backbone.norm{index}'), mine), wanted)


def test_pixel_word_attention():
    state = part(toy_states()[0], 'backbone.layers.1.fusion')
    x, words, token_mask = torch.randn(3, 16, 5, 6), torch.randn(3, 9, 24), toy_inputs()['token_mask']

    def convolution(name: str, inputs: int) -> nn.Module:
        return module_of(nn.Conv1d(inputs, 16, 1), part(state, name))

    expected = []
    for pixels, row, present in zip(x.flatten(2), words, token_mask):
        # Words of padding are left out, rather than masked.
        row = row[present].T
        query = nn.InstanceNorm1d(16)(convolution('image_lang_att.f_query.0', 16)(pixels[None]))
        key, value = (convolution(f'image_lang_att.{name}.0', 24)(row[None]) for name in ('f_key', 'f_value'))
        taken = F.scaled_dot_product_attention(query.mT, key.mT, value.mT).mT
        taken = nn.InstanceNorm1d(16)(convolution('image_lang_att.W.0', 16)(taken))
        mixed = F.gelu(convolution('vis_project.0', 16)(pixels[None])) * taken
        expected.append(F.gelu(convolution('project_mm.0', 16)(mixed)).unflatten(2, (5, 6)))
    close(plain.fuse(state, x, words, token_mask), torch.cat(expected))


def test_gate():
    state = part(toy_states()[0], 'backbone.layers.1')
    x, fused = torch.randn(2, 3, 16, 5, 6)
    layers = nn.Sequential(nn.Linear(16, 16, bias=False), nn.ReLU(), nn.Linear(16, 16, bias=False), nn.Tanh())
    module_of(layers, part(state, 'res_gate'))
    expected = x + layers(fused.movedim(1, 3)).movedim(3, 1) * fused
    close(plain.passed_on(state, x, fused), expected)


@pytest.mark.parametrize('training', [False, True])
def test_decoder(training):
    """What all of the three levels and the classes' map give, in grids that do not double exactly."""
    state = part(toy_states()[0], 'classifier')
    stages = [torch.randn(3, 8 * 2**index, *grid) for index, grid in enumerate(((20, 16), (10, 8), (5, 4), (3, 2)))]
    x, levels = stages[3], []
    for number, inputs, stage in zip((4, 3, 2), (64 + 32, 20 + 16, 20 + 8), stages[2::-1]):
        x = torch.cat([F.interpolate(x, stage.shape[2:], mode='bilinear', align_corners=True), stage], dim=1)
        for place in (1, 2):
            convolution = nn.Conv2d(inputs if place == 1 else 20, 20, 3, padding=1, bias=False)
            module_of(convolution, part(state, f'conv{place}_{number}'))
            norm = module_of(nn.BatchNorm2d(20), part(state, f'bn{place}_{number}'), training)
            x = F.relu(norm(convolution(x)))
        levels.append(x)
    found, logits = plain.decode(state, stages, training)
    for mine, wanted in zip(found, levels):
        close(mine, wanted)
    close(logits, module_of(nn.Conv2d(20, 2, 1), part(state, 'conv1_1'))(x))


def test_enlarged():
    for given, wanted in (((5, 4), (10, 9)), ((1, 3), (2, 12)), ((2, 2), (1, 2))):
        x = torch.randn(2, 3, *given)
        close(plain.enlarged(x, wanted), F.interpolate(x, wanted, mode='bilinear', align_corners=True))


def test_trace():
    """What the parts give, put together by hand."""
    model, bert_model = toy_states()
    inputs = toy_inputs(size=(80, 64))
    found = traced((model, bert_model), inputs)
    grids = [(20, 16), (10, 8), (5, 4), (3, 2)]
    for maps in (found.blocks, found.fused, found.stages):
        assert [tuple(one.shape) for one in maps] == [(3, 8 * 2**index, *grid) for index, grid in enumerate(grids)]
    assert [tuple(one.shape) for one in found.levels] == [(3, 20, *grid) for grid in grids[2::-1]]
    close(found.words, bert(bert_model, inputs['token_ids'], inputs['token_mask'], 4))
    for index in range(4):
        own = part(model, f'backbone.layers.{index}')
        fused = plain.fuse(part(own, 'fusion'), found.blocks[index], found.words, inputs['token_mask'])
        close(found.fused[index], fused)
        norm = module_of(nn.LayerNorm(8 * 2**index), part(model, f'backbone.norm{index}'))
        close(found.stages[index], norm(fused.movedim(1, 3)).movedim(3, 1))
        if index < 3:
            close(found.gated[index], plain.passed_on(own, found.blocks[index], fused))
    assert found.grid_logits.shape == (3, 2, 20, 16)
    close(found.logits, F.interpolate(found.grid_logits, (80, 64), mode='bilinear', align_corners=True))
    assert torch.equal(found.mask_logits[:, 0], found.logits[:, 1] - found.logits[:, 0])
    grid_mask_logits = plain.difference(found.grid_logits)
    close(found.mask_logits, plain.enlarged(grid_mask_logits, (80, 64)))
    assert torch.equal(found.logits, plain.lavt(model, bert_model, inputs['pixels'], inputs['token_ids'],
                                                inputs['token_mask'], architecture=ARCHITECTURE))


def test_padding_changes_nothing():
    states, inputs = toy_states(), toy_inputs()
    result = traced(states, inputs).logits
    other = torch.where(inputs['token_mask'], inputs['token_ids'], 33)
    close(traced(states, dict(inputs, token_ids=other)).logits, result)
    shorter = {name: inputs[name][2:, :3] for name in ('token_ids', 'token_mask')}
    close(traced(states, dict(shorter, pixels=inputs['pixels'][2:])).logits, result[2:])
    seen = torch.ones_like(inputs['token_mask'])
    assert (traced(states, dict(inputs, token_mask=seen)).logits - result).abs()[1:].amax() > 0.01


def test_rows_are_independent_in_evaluation():
    states, inputs = toy_states(), toy_inputs()
    alone = [traced(states, {name: value[[row]] for name, value in inputs.items()}).logits for row in range(3)]
    close(traced(states, inputs).logits, torch.cat(alone))
    assert not torch.allclose(traced(states, inputs, training=True).logits, torch.cat(alone), atol=0.01)


def test_loss():
    logits, masks = 5 * torch.randn(3, 2, 16, 24), torch.rand(3, 16, 24) < 0.3
    weights = torch.tensor([0.9, 1.1])
    found = plain.training_loss(logits, masks)
    close(found, F.cross_entropy(logits, masks.long(), weight=weights))
    binary = F.binary_cross_entropy_with_logits(
        plain.difference(logits)[:, 0], masks.double(), weight=weights[masks.long()], reduction='sum')
    close(found, binary / weights[masks.long()].sum())


def test_scores():
    """Four sentences of ten pixels in a row: 3 of 4, 1 of 2 (which Pr@0.5 counts), nothing at all, 0 of 3."""
    predicted = torch.tensor([[1, 1, 1, 1, 0, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0, 0, 0, 0],
                              [0, 0, 0, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 0, 0, 1]])
    wanted = torch.tensor([[1, 1, 1, 0, 0, 0, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0, 0, 0, 0, 0],
                           [0, 0, 0, 0, 0, 0, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0, 0, 0, 0, 0]])
    # Where both classes score the same, the first is taken: background.
    logits = torch.stack((torch.zeros(4, 1, 10), predicted[:, None].double()), dim=1)
    found = plain.scores(logits, wanted[:, None].bool())
    assert found.intersections.tolist() == [3, 1, 0, 0]
    assert found.unions.tolist() == [4, 2, 0, 3]
    assert found.overall == pytest.approx(4 / 9)
    assert found.mean == pytest.approx((0.75 + 0.5) / 4)
    assert found.precisions == (0.5, 0.25, 0.25, 0.0, 0.0)


@pytest.mark.parametrize('training', [False, True])
def test_gradients(training):
    states, inputs = toy_states(), toy_inputs()
    before = [{name: value.clone() for name, value in state.items()} for state in states]
    weights = {name: value for state in states for name, value in state.items()
               if value.is_floating_point() and not (training and 'running_' in name)}
    for value in weights.values():
        value.requires_grad_()
    plain.training_loss(traced(states, inputs, training=training).logits, inputs['masks']).backward()
    assert [name for name, value in weights.items() if value.grad is None] == DEAD
    for name in set(weights).difference(DEAD):
        assert weights[name].grad.isfinite().all(), name
        assert (weights[name].grad.abs().max() < 1e-9) == name.endswith(CANCELLED), name
    for state, kept in zip(states, before):
        assert all(torch.equal(value, kept[name]) for name, value in state.items())
