"""What the options of a training change of its config."""

import argparse

import pytest
import torch
from mmengine.config import Config

from mmris.utils.launching import add_training_arguments, set_training
from tests.conftest import tiny_config


def changed(*options: str) -> Config:
    """The demo's config under some options."""
    parser = argparse.ArgumentParser()
    add_training_arguments(parser)
    config = tiny_config()
    set_training(config, parser.parse_args(options))
    return config


def test_nothing_given_changes_nothing():
    assert changed().to_dict() == tiny_config().to_dict()


def test_resume():
    assert changed('--resume').resume and changed('--resume').load_from is None
    assert changed('--resume', 'epoch_3.pth').load_from == 'epoch_3.pth'


def test_seed():
    assert changed('--seed', '7').randomness == dict(seed=7, diff_rank_seed=True)


class TestMixedPrecision:

    def test_without_a_gpu(self, monkeypatch):
        monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
        with pytest.raises(ValueError, match='--amp needs a GPU, and none is visible. Leave --amp out'):
            changed('--amp')

    def test_precisions(self, monkeypatch):
        monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
        half, brain = changed('--amp').optim_wrapper, changed('--amp', 'bfloat16').optim_wrapper
        assert (half.type, half.dtype, half.loss_scale) == ('AmpOptimWrapper', 'float16', 'dynamic')
        assert (brain.type, brain.dtype) == ('AmpOptimWrapper', 'bfloat16') and 'loss_scale' not in brain

    def test_another_wrapper_is_not_replaced(self, monkeypatch):
        monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
        config = Config(dict(optim_wrapper=dict(type='ApexOptimWrapper')))
        parser = argparse.ArgumentParser()
        add_training_arguments(parser)
        with pytest.raises(ValueError, match='the config has ApexOptimWrapper: set AmpOptimWrapper there'):
            set_training(config, parser.parse_args(['--amp']))


def test_accumulation():
    assert changed('--accumulate', '4').optim_wrapper.accumulative_counts == 4
    with pytest.raises(ValueError, match='--accumulate is a number of batches, 1 or more, but got 0'):
        changed('--accumulate', '0')


def test_automatic_rates_need_a_base():
    assert changed('--auto-scale-lr').auto_scale_lr == dict(enable=True, base_batch_size=8)
    parser = argparse.ArgumentParser()
    add_training_arguments(parser)
    with pytest.raises(ValueError, match='set auto_scale_lr = dict\\(base_batch_size'):
        set_training(Config(), parser.parse_args(['--auto-scale-lr']))


def test_moving_average():
    assert changed('--ema').custom_hooks[-1] == dict(type='EMAHook', momentum=1e-4)
    assert changed('--ema', '0.01').custom_hooks[-1].momentum == 0.01
    assert changed('--ema').custom_hooks[:-1] == tiny_config().custom_hooks


def test_activation_checkpointing():
    assert changed('--activation-checkpointing').model.encoder.activation_checkpointing
