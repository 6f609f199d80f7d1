"""What the options of a training change of its config."""

import argparse
import os

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS
from torch import distributed

from mmris.command_line.arguments import add_launcher_arguments, add_training_arguments
from mmris.utils.launching import (
    check_trainable,
    destroy_process_group,
    set_feature_cache,
    set_launcher,
    set_training,
)
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


@pytest.mark.parametrize('options, folder', [(('--cache-features', ), 'work_dirs/features'),
                                             (('--cache-features', 'mine'), 'mine')])
def test_a_feature_cache(options, folder):
    assert changed(*options).model.feature_cache == dict(folder=folder)


def test_a_feature_cache_keeps_what_the_config_says():
    config = tiny_config()
    config.model.feature_cache = dict(folder='own', dtype='float16')
    set_feature_cache(config, None)
    assert config.model.feature_cache.folder == 'own'
    set_feature_cache(config, 'mine')
    assert config.model.feature_cache == dict(folder='mine', dtype='float16')


def test_resume():
    assert (changed('--resume').resume, changed('--resume').load_from) == ('last', None)
    assert (changed('--resume', 'a.pth').resume, changed('--resume', 'a.pth').load_from) == (True, 'a.pth')


def test_resume_keeps_what_a_training_begins_from():
    parser = argparse.ArgumentParser()
    add_training_arguments(parser)
    config = Config(dict(load_from='pretrained.pth'))
    set_training(config, parser.parse_args(['--resume']))
    assert (config.resume, config.load_from) == ('last', 'pretrained.pth')


def test_a_port_for_each_job(monkeypatch):
    monkeypatch.setenv('SLURM_JOB_ID', '1234567')
    for name in ('MASTER_PORT', 'LOCAL_RANK'):
        # Set and taken away, so that it is restored to what it was.
        monkeypatch.setenv(name, '')
        monkeypatch.delenv(name)
    parser = argparse.ArgumentParser()
    add_launcher_arguments(parser)
    config = Config()
    set_launcher(config, parser.parse_args(['--launcher', 'slurm']))
    assert os.environ['MASTER_PORT'] == '34567' and config.launcher == 'slurm'


def test_seed():
    assert changed('--seed', '7').randomness == dict(seed=7, diff_rank_seed=True)


class TestMixedPrecision:

    def test_float16_without_a_gpu(self, monkeypatch):
        monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
        with pytest.raises(ValueError, match='--amp float16 needs a GPU, and none is visible. Take --amp bfloat16'):
            changed('--amp')

    @pytest.mark.parametrize('gpu', [True, False])
    def test_bfloat16_on_any_device(self, gpu, monkeypatch):
        monkeypatch.setattr(torch.cuda, 'is_available', lambda: gpu)
        wrapper = changed('--amp', 'bfloat16').optim_wrapper
        assert wrapper.type == 'BFloat16OptimWrapper' and not {'dtype', 'loss_scale'} & set(wrapper)

    def test_bfloat16_in_place_of_float16(self):
        config = Config(dict(optim_wrapper=dict(type='AmpOptimWrapper', dtype='float16', loss_scale='dynamic')))
        parser = argparse.ArgumentParser()
        add_training_arguments(parser)
        set_training(config, parser.parse_args(['--amp', 'bfloat16']))
        assert dict(config.optim_wrapper) == dict(type='BFloat16OptimWrapper')

    def test_float16_with_a_gpu(self, monkeypatch):
        monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
        wrapper = changed('--amp').optim_wrapper
        assert (wrapper.type, wrapper.dtype, wrapper.loss_scale) == ('AmpOptimWrapper', 'float16', 'dynamic')

    def test_another_wrapper_is_not_replaced(self, monkeypatch):
        monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
        config = Config(dict(optim_wrapper=dict(type='ApexOptimWrapper')))
        parser = argparse.ArgumentParser()
        add_training_arguments(parser)
        with pytest.raises(ValueError, match='the config has ApexOptimWrapper: set AmpOptimWrapper there'):
            set_training(config, parser.parse_args(['--amp']))


def test_compilation():
    assert 'compile' not in changed() and changed('--compile').compile is True


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


def test_a_seed_is_not_negative(capsys):
    assert changed('--seed', '0').randomness.seed == 0
    with pytest.raises(SystemExit):
        changed('--seed', '-1')
    assert 'an integer of at least 0 is needed, but got -1' in capsys.readouterr().err


def test_moving_average():
    hook = changed('--ema', '--accumulate', '4').custom_hooks[-1]
    assert (hook.type, hook.momentum, hook.interval) == ('EMAHook', 1e-4, 4)
    assert changed('--ema', '0.01').custom_hooks[-1].momentum == 0.01
    assert changed('--ema').custom_hooks[:-1] == tiny_config().custom_hooks


@pytest.mark.parametrize('batches', [1, 8, 32])
def test_an_average_forgets(batches):
    """It is of the last tenth of the steps, however many batches a step takes: the first half weighs 0.001."""
    hook = changed('--ema', '1e-4', '--accumulate', str(batches)).custom_hooks[-1]
    model = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.ones_(model.weight)
    average = MODELS.build(
        dict(type=hook.ema_type, momentum=hook.momentum, gamma=hook.gamma, interval=hook.interval),
        default_args=dict(model=model))
    for batch in range(500 * batches):
        if batch == 250 * batches:
            torch.nn.init.zeros_(model.weight)
        average.update_parameters(model)
    assert 0 < average.module.weight.item() < 0.002


def test_checkpoints_without_frozen_parts():
    hooks = changed('--exclude-frozen').custom_hooks
    assert hooks == [*tiny_config().custom_hooks, dict(type='ExcludeFrozenHook')]


def test_nothing_to_train():
    check_trainable(tiny_config(), 'some.py')
    for config in (Config(), Config(dict(train_cfg=None))):
        with pytest.raises(ValueError, match='^some.py has nothing to train: its train_cfg is None. Evaluate it with '
                                             'mmris test some.py, and a checkpoint if its weights are in one.$'):
            check_trainable(config, 'some.py')


def test_activation_checkpointing():
    assert changed('--activation-checkpointing').model.encoder.activation_checkpointing


def test_leaving(tmp_path):
    destroy_process_group()
    distributed.init_process_group('gloo', init_method=f'file://{tmp_path}/store', rank=0, world_size=1)
    destroy_process_group()
    assert not distributed.is_initialized()
