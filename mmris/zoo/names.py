"""From a name to a row, and from whatever stands where a checkpoint does to a file."""

import difflib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, List, Optional, Union

from mmris.hub.folder import explain_no_model

from .fetching import fetch_vocabulary, fetch_weights
from .models import MODEL, TOWERS, ZooModel
from .own import HUB, copy_of, find_copy, find_folder, find_published, with_hub
from .table import MODELS


def list_models(pattern: str = '*') -> List[str]:
    """List the names of the zoo.

    Args:
        pattern (str): As for file names: ``'*ris*'``. Default: ``'*'``, all of them.

    Returns:
        list[str]: The names, sorted; empty if none matches.
    """
    return sorted(model.name for model in MODELS if fnmatch(model.name, pattern))


def get_model(name: str) -> ZooModel:
    """Get a row by its name, or that of a model that is not in the table.

    Args:
        name (str): What :func:`find_model` takes, or ``'user/name'``, a repository of the Hugging Face hub.

    Returns:
        ZooModel: The row.

    Raises:
        ValueError: If there is no such name; the message lists similar ones.
        FileNotFoundError, ConnectionError, OSError: If a repository cannot be downloaded.
    """
    found = _find_row(str(name).lower()) or find_model(name, hub=True)
    if found is not None:
        return found
    folder = find_folder(with_hub(name))
    if folder is not None:
        raise ValueError(explain_no_model(folder))
    close = difflib.get_close_matches(str(name).lower(), list_models())
    advice = f'Did you mean {" or ".join(close)}?' if close else f'There are {", ".join(list_models())}.'
    raise ValueError(f'The zoo has no model {name!r}. {advice} `mmris models` shows all of them. For a file '
                     f'of yours, use Predictor(CONFIG, FILE).')


def find_model(name: object, *, folders: bool = False, hub: bool = False) -> Optional[ZooModel]:
    """Find the row that a name means where a file may stand too.

    Args:
        name (object): What the user gave: a name; the repository of a row on the Hugging Face hub
            (``'YxZhang/evf-sam'``); a copy of a published model, or a model that ``mmris push`` wrote, as a folder or
            as a repository (``'hf-hub:OWNER/NAME'``); or any other path or address.
        folders (bool): Whether a folder may stand there too, so that a model in a folder is none here. Default: False.
        hub (bool): Whether a model is named there, so that ``'user/name'`` is a repository too. Default: False.

    Returns:
        ZooModel, optional: The row. None if there is none, or if there is a file (or folder) of that name.

    Raises:
        FileNotFoundError, ConnectionError, OSError: If a repository cannot be downloaded.
    """
    found = _find_row(str(name))
    if found is not None:
        path = Path(str(name))
        return None if path.is_file() or folders and path.is_dir() else found
    name = with_hub(name) if hub else name
    if folders and not str(name).startswith(HUB) and Path(str(name)).is_dir():
        return None
    copy = find_copy(name)
    if copy is None:
        return find_published(name)
    original = None if Path(str(name)).is_file() else _find_row(copy.original)
    return None if original is None else copy_of(original, copy, name)


def _find_row(name: str) -> Optional[ZooModel]:
    """The row of a name, or of a repository."""
    return next((model for model in MODELS if name in (model.name, getattr(model.weights, 'repository', None))), None)


def complete_config(config: Any, model: ZooModel) -> None:
    """Write into a row's config what the row says of it: by name, so that nothing is fetched yet.

    Args:
        config (Config): The config of the row, which is changed: the vocabulary of its tokenizer, and the towers of a
            model that needs towers alone.
        model (ZooModel): The row.
    """
    if model.vocabulary is not None:
        config.inputs.tokenizer.vocabulary = model.name
    if model.weights is None:
        config.model.encoder.pretrained = model.towers


def find_vocabulary(name: Union[str, Path]) -> Path:
    """Find the file that a tokenizer's ``vocabulary`` means: a file, or that of a row, fetched if needed.

    Args:
        name (str or Path): A file, or a name of the zoo.

    Returns:
        Path: The file of a row's vocabulary. Anything else as it was.

    Raises:
        ValueError: If the row has no vocabulary.
        FileNotFoundError, ConnectionError, OSError, ValueError: As :func:`fetch_vocabulary`.
    """
    model = find_model(name)
    return Path(name) if model is None else fetch_vocabulary(model)


def find_weights(name: Union[str, Path], kind: Optional[str] = None) -> str:
    """Find the file that a checkpoint's name means: what the user gave, or the weights of a row, fetched if needed.

    Args:
        name (str or Path): A file, an address, a folder, or a name of the zoo.
        kind (str, optional): What is needed, ``'model'`` or ``'towers'``. Default: None, either.

    Returns:
        str: The file of a row's weights. Anything else as it was.

    Raises:
        ValueError: If the row is of the other kind, or has no weights of its own.
        FileNotFoundError, ConnectionError, OSError, ValueError: As :func:`fetch_weights`.
    """
    model = find_model(name)
    if model is None:
        return str(name)
    check_kind(model, kind)
    return str(fetch_weights(model))


def check_kind(model: ZooModel, kind: Optional[str], *, weights: bool = True) -> None:
    """Check that a row can stand where it stands.

    Args:
        model (ZooModel): The row.
        kind (str, optional): What is needed, ``'model'`` or ``'towers'``. None: either.
        weights (bool): Whether weights are needed too. Default: True.

    Raises:
        ValueError: If the row is of the other kind, or has no weights of its own.
    """
    if kind == MODEL and model.kind == TOWERS:
        raise ValueError(
            f'{model.name} is towers, the encoder of a model, but a whole model is needed here. Give it as the '
            f'encoder\'s pretrained weights: --cfg-options model.encoder.pretrained={model.name}.')
    if kind == TOWERS and model.kind == MODEL:
        raise ValueError(
            f'{model.name} is a whole model, but towers for an encoder are needed here. Give it as a checkpoint, or '
            f'begin a training from it: --cfg-options load_from={model.name}.')
    if weights and model.weights is None:
        raise ValueError(
            f'{model.name} has no weights of its own, but needs those of {model.towers} alone. Use its config '
            f'{model.config} without a checkpoint, or write none in place of the checkpoint.')


def suggest(name: object) -> str:
    """Suggest names of the zoo in a message about a file that is not there, or that is no training's.

    Args:
        name (object): What the user gave.

    Returns:
        str: A sentence with a space before it; empty if no name is similar.
    """
    if str(name) in list_models():
        return f' {name} of the zoo is weights alone: they can begin a training (load_from={name}), not continue one.'
    close = difflib.get_close_matches(str(name), list_models())
    return f' The zoo has {" and ".join(close)}: is that what you mean?' if close else ''
