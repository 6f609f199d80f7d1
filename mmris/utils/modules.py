"""What OpenMMLab's hub and scripts call of every package."""

from importlib import import_module

from mmengine.registry import init_default_scope as enter_scope


def register_all_modules(init_default_scope: bool = True) -> None:
    """Import whatever registers something.

    Configs need it not: the registries import on their own what they are asked for.

    Args:
        init_default_scope (bool): Also make ``mmris`` the scope of types that name none. Defaults to True.
    """
    for package in ('datasets', 'engine', 'evaluation', 'models', 'visualization'):
        import_module(f'mmris.{package}')
    if init_default_scope:
        enter_scope('mmris')
