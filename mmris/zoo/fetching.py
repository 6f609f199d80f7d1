"""Files of the zoo: from the package, the hub's cache, or the folder that users put them into."""

import os
from pathlib import Path

from mmris.utils.files import digest_file

from .models import HubFile, LocalFile, PackageFile, ZooFile, ZooModel

_PACKAGE = Path(__file__).resolve().parents[1]
#: The environment variable that names the folder of files which users put there.
CACHE = 'MMRIS_CACHE'


def cache_folder() -> Path:
    """Return the folder of files that are not downloaded by the hub's client.

    Returns:
        Path: What ``MMRIS_CACHE`` names; if it is not set, ``mmris`` in ``XDG_CACHE_HOME`` or in ``~/.cache``.
    """
    if os.environ.get(CACHE):
        return Path(os.environ[CACHE]).expanduser()
    return Path(os.environ.get('XDG_CACHE_HOME') or '~/.cache').expanduser() / 'mmris'


def fetch_weights(model: ZooModel) -> Path:
    """Fetch a model's weights, unless they are here, and check them.

    Args:
        model (ZooModel): A row with weights.

    Returns:
        Path: The file: of a whole model, one that :func:`mmris.checkpoints.load_model_weights` takes.

    Raises:
        FileNotFoundError: If the user has to fetch the file; the message says from where and to where.
        ConnectionError: If it cannot be downloaded.
        ValueError: If it is not the file that it should be.
        OSError: If the cache cannot be written.
    """
    if model.weights is None:
        raise ValueError(f'{model.name} has no weights of its own: it needs those of {model.towers}.')
    return _fetch(model.weights, model, 'weights')


def fetch_vocabulary(model: ZooModel) -> Path:
    """Fetch a model's vocabulary, as :func:`fetch_weights`.

    Raises:
        ValueError: If the model has no vocabulary in the zoo: its tokenizer needs no file.
    """
    if model.vocabulary is None:
        raise ValueError(f'{model.name} has no vocabulary in the zoo.')
    return _fetch(model.vocabulary, model, 'vocabulary')


def _fetch(file: ZooFile, model: ZooModel, what: str) -> Path:
    if isinstance(file, LocalFile):
        return _check_local(file, model, what)
    placed = cache_folder() / model.name / file.file
    if isinstance(file, PackageFile):
        path = _PACKAGE / file.path
        if not path.is_file():
            raise FileNotFoundError(
                f'{path} should hold the {what} of {model.name}, but this installation of mmris lacks the file. '
                f'Install mmris again.')
    elif placed.is_file():
        path = placed
    elif isinstance(file, HubFile):
        from .hub import download
        path = download(file, f'the {what} of {model.name}', placed, _beside(file, model))
    else:
        raise FileNotFoundError(
            f'There is no {placed}, and mmris cannot download the {what} of {model.name} by itself. Fetch '
            f'{describe(file)} from {file.address} and put it there. To keep such files elsewhere than in '
            f'{cache_folder()}, set {CACHE}.')
    _check(path, file, f'the {what} of {model.name}')
    return path


def _beside(file: HubFile, model: ZooModel) -> str:
    """What else of a model has to be fetched by hand, for the message about its weights; empty if nothing has."""
    other = model.vocabulary
    if file is not model.weights or not isinstance(other, HubFile):
        return ''
    return f' It also needs {describe(other)} from {other.place}, at {cache_folder() / model.name / other.file}.'


def _check_local(file: LocalFile, model: ZooModel, what: str) -> Path:
    path = Path(file.path)
    if not path.exists():
        raise FileNotFoundError(
            f'{path}, the {what} of {model.name}, is missing. Fetch it from {file.source or model.link} and put it '
            f'there.')
    return path


def describe(file: ZooFile) -> str:
    """Return a file's name and size, for messages."""
    return file.file if file.size is None else f'{file.file} ({size_in_words(file)})'


def size_in_words(file: ZooFile) -> str:
    """Return a file's size for readers, such as ``598.5 MB``."""
    return 'not known' if file.size is None else f'{file.size / 1e6:,.1f} MB'


def _check(path: Path, file: ZooFile, what: str) -> None:
    # A link of the hub's cache leads to the file that has to go.
    path = path.resolve()
    size = path.stat().st_size
    if file.size is not None and size != file.size:
        raise ValueError(
            f'{path} should be {what}, but has {size:,} bytes instead of {file.size:,}. Remove it and fetch it again '
            f'from {file.place}.')
    if file.sha256 is None:
        return
    digest = digest_file(path)
    if digest != file.sha256:
        raise ValueError(
            f'{path} should be {what}, but its SHA-256 is {digest} instead of {file.sha256}. Remove it and fetch it '
            f'again from {file.place}.')
