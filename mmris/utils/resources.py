"""Where configs and tools lie, and how the config that a user names is read."""

from pathlib import Path
from typing import TYPE_CHECKING, Union

from mmris.hub.folder import CONFIG, explain_no_model
from mmris.zoo import MODEL, ZooModel, check_kind, complete_config, find_model

if TYPE_CHECKING:
    from mmengine.config import Config

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
        ValueError: If the name is of a model that someone published, whose config is no program to run.
    """
    model = find_model(name, hub=True)
    if model is not None:
        check_kind(model, MODEL, weights=False)
        if model.folder is not None:
            raise ValueError(f'{name} is a published model, whose config holds what inference needs and nothing more. '
                             f'Give a config here; the published model can be the checkpoint.')
        name = model.config
    scope, separator, inside = str(name).partition('::')
    return RESOURCES / 'configs' / inside if separator and scope == SCOPE else Path(name)


def read_named_config(name: Union[str, Path], *, data: bool = False, advice: str = '') -> 'Config':
    """Read the config that a user names. Of a model that someone published, nothing is run.

    Args:
        name (str or Path): What :func:`find_config` takes, or a model that someone published: a folder, or a
            repository of the Hugging Face hub.
        data (bool): Whether the config shall say which data the model is scored on, if it can. Default: False.
        advice (str): What follows in the message if there is no such file. Default: ''.

    Returns:
        Config: The config, which names vocabulary and towers.

    Raises:
        FileNotFoundError, ValueError: As :func:`find_config` and :func:`check_config_file`.
        FileNotFoundError, ConnectionError, OSError, ValueError: If a published model cannot be fetched, or is not what
            it should be (see :func:`mmris.hub.reading.open_published`).
    """
    model = find_model(name, hub=True)
    if model is not None:
        return read_model_config(model, data=data)
    path = find_config(name)
    check_config_file(path, advice)
    from mmengine.config import Config
    return Config.fromfile(path)


def read_model_config(model: ZooModel, *, data: bool = False) -> 'Config':
    """Read the config of a row of the zoo, or of a model that someone published.

    Args:
        model (ZooModel): The row.
        data (bool): As :func:`read_named_config`. Default: False.

    Returns:
        Config: The config, which names vocabulary and towers.

    Raises:
        FileNotFoundError, ConnectionError, OSError, ValueError: As :func:`read_named_config`.
    """
    check_kind(model, MODEL, weights=False)
    if model.folder is not None:
        from mmris.hub.reading import open_published
        published = open_published(Path(model.folder))
        return published.data_config() if data else published.config()
    from mmengine.config import Config
    config = Config.fromfile(find_config(model.config))
    complete_config(config, model)
    return config


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
            f'{explain_no_model(path)} A folder of EVF-SAM has a {CONFIG} with sam_scale and mm_extractor_scale. Of '
            f'other folders give a config, and the folder as the checkpoint.')
    if not path.is_file():
        # A word without a folder and an ending is no config's, but may be meant as the name of a model.
        if path.name == str(path) and not path.suffix:
            advice = advice or ' `mmris models` lists the names; a folder or hf-hub:user/name also works.'
            raise FileNotFoundError(f'There is no model {path}.{advice}')
        raise FileNotFoundError(f'There is no config {path}.{advice}')
    if path.suffix not in ('.py', '.yml', '.yaml', '.json'):
        raise ValueError(f'{path} is no config, which ends with .py. Give a config first, then the file of weights; of '
                         f'a published model you may give the folder alone.')
