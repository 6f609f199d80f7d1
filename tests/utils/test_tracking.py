"""Sending what is logged to TensorBoard and Weights & Biases."""

import importlib.util
import sys
from types import ModuleType, SimpleNamespace

import pytest
from mmengine.config import Config

from mmris.utils.tracking import add_trackers
from mmris.visualization import LeanWandbVisBackend
from tests.conftest import tiny_config


@pytest.fixture
def installed(monkeypatch):
    """As if all packages were there."""
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: object())


def backends(config: Config) -> list:
    return [backend['type'] for backend in config.visualizer.vis_backends]


def test_backends_are_added_once_and_names_tell_training_from_validation(installed):
    config = tiny_config()
    add_trackers(config, ['tensorboard', 'wandb'])
    add_trackers(config, ['tensorboard'])
    assert backends(config) == ['LocalVisBackend', 'TensorboardVisBackend', 'LeanWandbVisBackend']
    assert config.log_processor.log_with_hierarchy and config.log_processor.window_size == 50
    # What was added survives the config's way through a file.
    assert backends(Config.fromstring(config.pretty_text, '.py')) == backends(config)


def test_none_changes_nothing():
    config = tiny_config()
    add_trackers(config, [])
    assert config.to_dict() == tiny_config().to_dict()


def test_errors(monkeypatch, installed):
    with pytest.raises(ValueError, match="There is no tracker 'mlflow'. Use tensorboard or wandb."):
        add_trackers(tiny_config(), ['mlflow'])
    with pytest.raises(ValueError, match='Tracking with wandb needs a visualizer, and the config has none'):
        add_trackers(Config(dict(model=None)), ['wandb'])
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
    with pytest.raises(ModuleNotFoundError, match='Tracking with wandb needs its package. Run: pip install wandb'):
        add_trackers(tiny_config(), ['wandb'])


def test_wandb_gets_the_config_and_no_copy_of_the_code(monkeypatch, tmp_path):
    recorded = {}
    wandb = ModuleType('wandb')
    wandb.init = lambda **options: recorded.update(options)
    wandb.define_metric = lambda **options: recorded.update(metric=options)
    wandb.config = SimpleNamespace(update=lambda values, allow_val_change: recorded.update(config=values))
    monkeypatch.setitem(sys.modules, 'wandb', wandb)
    backend = LeanWandbVisBackend(str(tmp_path), define_metric_cfg=[dict(name='*', step_metric='iter')])
    # The copy is made by `run.log_code`, which this stand-in lacks.
    backend.add_config(Config(dict(a=dict(b=1))))
    assert recorded == dict(
        dir=str(tmp_path), metric=dict(name='*', step_metric='iter'), config=dict(a=dict(b=1)))
