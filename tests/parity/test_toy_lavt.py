"""The layout that toy weights of LAVT have: parameters at full size against the method's table, and files."""

from argparse import Namespace

import pytest
import torch

from tests.parity.plain_lavt import BASE, trace
from tests.parity.toy_detris import Weights
from tests.parity.toy_lavt import (
    ARCHITECTURE,
    Sizes,
    add_bert,
    add_model,
    released,
    released_one,
    toy_inputs,
    toy_states,
)

FULL = Sizes(
    width=128, depths=BASE.depths, heads=BASE.heads, window=BASE.window, decoder_width=512, text_width=768,
    text_depth=12, text_feedforward=3072, vocabulary=30522, positions=512)


class Shapes(Weights):
    """Counts numbers instead of drawing them."""

    def normal(self, name: str, *shape: int, deviation: float = 0.5) -> None:
        self.state[name] = torch.empty(shape, device='meta')

    def uniform(self, name: str, count: int, low: float) -> None:
        self.state[name] = torch.empty(count, device='meta')


def counted(add: object) -> dict:
    """Millions of parameters by part."""
    shapes, counts = Shapes(0), {}
    add(shapes, FULL)
    for name, value in shapes.state.items():
        if any(word in name for word in ('running_', 'num_batches', 'position_index')):
            continue
        part = next((word for word in ('fusion', 'res_gate', 'classifier', 'embeddings', 'encoder') if word in name),
                    'swin')
        counts[part] = counts.get(part, 0) + value.numel()
        if '.3.res_gate' in name:
            counts['dead'] = counts.get('dead', 0) + value.numel()
    return {name: round(count / 1e6, 2) for name, count in counts.items()}


def test_published_counts():
    assert counted(add_model) == dict(swin=86.88, fusion=8.53, res_gate=2.79, dead=2.10, classifier=20.65)
    text = counted(add_bert)
    assert text['embeddings'] == 23.84
    assert round(text['encoder'] / 12, 2) == 7.09


def test_names():
    """One name of each kind, by the published list."""
    model, bert_model = toy_states()
    stage = 'backbone.layers.1'
    assert model[f'{stage}.fusion.image_lang_att.f_value.0.weight'].shape == (16, 24, 1)
    assert model[f'{stage}.fusion.image_lang_att.W.0.weight'].shape == (16, 16, 1)
    assert model[f'{stage}.fusion.vis_project.0.bias'].shape == (16, )
    assert model[f'{stage}.fusion.project_mm.0.weight'].shape == (16, 16, 1)
    assert model[f'{stage}.downsample.reduction.weight'].shape == (32, 64)
    assert model[f'{stage}.blocks.1.attn.relative_position_bias_table'].shape == (49, 2)
    assert model[f'{stage}.blocks.1.attn.relative_position_index'].dtype == torch.int64
    assert model['backbone.layers.3.res_gate.2.weight'].shape == (64, 64)
    assert model['classifier.conv1_4.weight'].shape == (20, 64 + 32, 3, 3)
    assert model['classifier.conv1_2.weight'].shape == (20, 20 + 8, 3, 3)
    assert model['classifier.conv1_1.bias'].shape == (2, )
    missing = ('backbone.layers.3.downsample.norm.weight', f'{stage}.res_gate.0.bias', 'classifier.conv2_3.bias',
               f'{stage}.downsample.reduction.bias')
    assert not set(missing) & set(model)
    assert not [name for name in bert_model if 'pooler' in name or 'position_ids' in name]


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_files(tmp_path, dtype):
    model, bert_model = toy_states(dtype=dtype)
    read = []
    for number, stored in enumerate((released(model, bert_model), released_one(model, bert_model))):
        torch.save(stored, tmp_path / f'{number}.pth')
        read.append(torch.load(tmp_path / f'{number}.pth', weights_only=False))
        assert isinstance(read[-1]['args'], Namespace)
        assert {'optimizer', 'epoch', 'lr_scheduler'} < set(read[-1])
        with pytest.raises(Exception, match='Namespace'):
            torch.load(tmp_path / f'{number}.pth', weights_only=True)
    two, one = read
    assert 'bert_model' not in one
    assert set(one['model']) == set(model) | {f'text_encoder.{name}' for name in bert_model}
    for name in bert_model:
        assert torch.equal(one['model'][f'text_encoder.{name}'], two['bert_model'][name])
    assert all(value.dtype == dtype for value in two['model'].values() if value.is_floating_point())


def test_weights_differ_from_those_that_modules_start_with():
    for state in toy_states():
        for name, value in state.items():
            assert value.is_floating_point() is not name.endswith(('num_batches_tracked', 'position_index'))
            assert value.unique().numel() > 1 or value.dim() == 0, name
            assert value.abs().double().mean() > 0.02, name


@pytest.mark.parametrize('training', [False, True])
@pytest.mark.parametrize('size', [(64, 96), (80, 64)])
def test_both_classes_win_pixels(size, training):
    """Masks, metrics and thresholds have something to compare in every row."""
    inputs = toy_inputs(size=size)
    found = trace(*toy_states(), inputs['pixels'], inputs['token_ids'], inputs['token_mask'],
                  architecture=ARCHITECTURE, training=training)
    shares = (found.mask_logits > 0).double().mean(dim=(1, 2, 3))
    assert shares.min() > 0.2
    assert shares.max() < 0.8
    assert found.mask_logits.std(dim=(1, 2, 3)).min() > 0.3


def test_inputs_pad_windows():
    """Sides of the grids that the window does not divide, and an odd one, are among them."""
    for size, padded_stages, odd in (((64, 96), [2, 3], False), ((80, 64), [1, 2, 3], True)):
        height, width = toy_inputs(size=size)['pixels'].shape[2:]
        grids = [(-(-height // stride), -(-width // stride)) for stride in (4, 8, 16, 32)]
        assert [stage for stage, grid in enumerate(grids) if any(side % ARCHITECTURE.window for side in grid)] \
            == padded_stages
        assert any(side % 2 for grid in grids[:3] for side in grid) == odd
    inputs = toy_inputs()
    lengths = inputs['token_mask'].sum(dim=1)
    assert lengths.tolist() == [9, 6, 3]
    assert torch.equal(inputs['token_ids'] > 0, inputs['token_mask'])
