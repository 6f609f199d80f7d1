"""Groups of parameters that are trained alike."""

import pytest
import torch
from mmengine.optim import build_optim_wrapper as build_ungrouped
from torch import nn

from mmris.engine.parameter_groups import build_optim_wrapper

CONFIG = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-2, weight_decay=0.1),
    paramwise_cfg=dict(custom_keys={'0': dict(lr_mult=0.1), '2.bias': dict(decay_mult=0.0)}))


def make_model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))


def train(build, **optimizer):
    model = make_model()
    wrapper = build(model, dict(CONFIG, optimizer=dict(CONFIG['optimizer'], **optimizer)))
    torch.manual_seed(1)
    for _ in range(5):
        wrapper.update_params(model(torch.randn(3, 4)).square().mean())
    return model, wrapper


@pytest.mark.parametrize('optimizer', [dict(), dict(fused=True), dict(foreach=True), dict(type='SGD', momentum=0.9)])
def test_training_is_the_same_to_the_bit(optimizer):
    kept, wrapper = train(build_ungrouped, **optimizer)
    merged, merged_wrapper = train(build_optim_wrapper, **optimizer)
    assert len(wrapper.param_groups) > len(merged_wrapper.param_groups)
    for found, wanted in zip(merged.parameters(), kept.parameters()):
        assert torch.equal(found, wanted)
    assert merged_wrapper.get_lr() == dict(lr=[1e-3, 1e-2, 1e-2], base_lr=[1e-2])


def test_groups_hold_each_parameter_once():
    model, wrapper = train(build_optim_wrapper)
    groups = wrapper.optimizer.param_groups
    assert [(group['lr'], group['weight_decay'], len(group['params'])) for group in groups] == [
        (1e-3, 0.1, 2), (1e-2, 0.1, 3), (1e-2, 0.0, 1)]
    held = {id(parameter) for group in groups for parameter in group['params']}
    assert held == {id(parameter) for parameter in model.parameters()}
