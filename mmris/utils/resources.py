"""Where configs and tools lie."""

from pathlib import Path
from typing import Union

from mmris.zoo import MODEL, check_kind, find_model

SCOPE = 'mmris'
# Where OpenMMLab's tools look in an installed package. A wheel has copies there, a checkout links to its own folders.
RESOURCES = Path(__file__).resolve().parents[1] / '.mim'


def find_config(name: Union[str, Path]) -> Path:
    """Find a config by what a user calls it.

    Args:
        name (str or Path): ``'mmris::cm_masksd/vit-tiny_shaperef.py'`` for one of the project's, a whole model's name
            in the zoo, or a path.

    Returns:
        Path: Where it lies, if it is there.

    Raises:
        ValueError: If the zoo's name is of towers.
    """
    model = find_model(name)
    if model is not None:
        check_kind(model, MODEL, weights=False)
        name = model.config
    scope, separator, inside = str(name).partition('::')
    return RESOURCES / 'configs' / inside if separator and scope == SCOPE else Path(name)


def check_config_file(path: Path, advice: str = '') -> None:
    """Check that a config is there, and no other kind of file.

    Args:
        path (Path): What :func:`find_config` gave.
        advice (str): What follows in the message if there is none. Default: ''.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is a file of another kind, such as weights.
    """
    if path.is_dir():
        raise FileNotFoundError(
            f'{path} is a folder, but not that of a published model: those have a config.json with sam_scale and '
            f'mm_extractor_scale. Give a config, and the folder as the checkpoint.')
    if not path.is_file():
        raise FileNotFoundError(f'There is no config {path}.{advice}')
    if path.suffix not in ('.py', '.yml', '.yaml', '.json'):
        raise ValueError(f'{path} is no config, which ends with .py. Give a config first, then the file of weights; of '
                         f'a published model you may give the folder alone.')
