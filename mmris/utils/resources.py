"""Where configs and tools lie."""

from pathlib import Path
from typing import Union

from mmengine.config.utils import MODULE2PACKAGE

SCOPE = 'mmris'
# Where OpenMMLab's tools look in an installed package. A wheel has copies there, a checkout links to its own folders.
RESOURCES = Path(__file__).resolve().parents[1] / '.mim'


def find_config(name: Union[str, Path]) -> Path:
    """Find a config by what a user calls it.

    Args:
        name (str or Path): ``'mmris::cm_masksd/vit-tiny_shaperef.py'`` for one of the project's, or a path.

    Returns:
        Path: Where it lies, if it is there.
    """
    scope, separator, inside = str(name).partition('::')
    return RESOURCES / 'configs' / inside if separator and scope == SCOPE else Path(name)


def register_configs() -> None:
    """Let MMEngine find ``mmris::...`` configs and the ``mmris.`` scope: it looks in packages that it knows alone."""
    MODULE2PACKAGE.setdefault(SCOPE, SCOPE)
