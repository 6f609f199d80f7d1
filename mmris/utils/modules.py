"""Modules: those of the package, and those that wrap a model."""

from importlib import import_module
from typing import Iterable

from mmengine.model import is_model_wrapper
from mmengine.registry import init_default_scope as enter_scope
from torch import nn


def unwrap_model(model: nn.Module) -> nn.Module:
    """The model itself, out of what distributes it, if anything does."""
    return model.module if is_model_wrapper(model) else model


def is_part(key: str, names: Iterable[str]) -> bool:
    """Whether a key of a model's weights is one of some names, or below one of them.

    Args:
        key (str): As ``'encoder.image.norm.weight'``.
        names (Iterable[str]): Of modules and parameters, as ``'encoder.image'``.
    """
    return any(key == name or key.startswith(f'{name}.') for name in names)


def register_all_modules(init_default_scope: bool = True) -> None:
    """Import whatever registers something: what OpenMMLab's hub and scripts call of every package.

    Configs need it not: the registries import on their own what they are asked for.

    Args:
        init_default_scope (bool): Also make ``mmris`` the scope of types that name none. Defaults to True.
    """
    for module in ('datasets', 'engine', 'evaluation', 'models', 'visualization.wandb_backend'):
        import_module(f'mmris.{module}')
    if init_default_scope:
        enter_scope('mmris')


def type_name(config: dict) -> str:
    """The type that a config names, without the scope: ``Tokenize`` of ``mmris.Tokenize``."""
    return config['type'].split('.')[-1]
