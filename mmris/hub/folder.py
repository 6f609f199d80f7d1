"""The files of a published folder, and how the ones of a stranger are opened."""

import json
import math
import re
import stat
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

CONFIG, CARD, WEIGHTS = 'config.json', 'README.md', 'model.safetensors'
INDEX = f'{WEIGHTS}.index.json'
#: The name that a tokenizer's vocabulary has in the folder, by the tokenizer's type.
VOCABULARIES: Dict[str, str] = dict(
    BEiT3Tokenizer='beit3.spm', WordPieceTokenizer='vocab.txt', WordTokenizer='words.txt')
#: What ``library_name`` of the config says, by which a folder is recognised.
LIBRARY = 'mmris'
# Bytes. Configs have a few thousand, BEiT-3's vocabulary has 1.4 million.
MOST_OF_CONFIG, MOST_OF_VOCABULARY, MOST_OF_INDEX = 10**6, 2 * 10**7, 10**7
# A name with one of these ends is a file's: of a config, or of weights.
_OF_FILES = ('.py', '.json', '.yaml', '.yml', '.pth', '.pt', '.ckpt', '.bin', '.tar', '.safetensors')
# Levels of lists and dicts. Those of the project's configs have at most 6.
_DEEPEST = 20
_SHARD = re.compile(r'model-\d{5}-of-\d{5}\.safetensors')
# The hub's own rules: https://huggingface.co/docs/hub/repositories-getting-started
_REPOSITORY_PART = r'(?!.*(?:--|\.\.))[A-Za-z0-9](?:[\w.-]{0,94}[A-Za-z0-9])?'
_REPOSITORY = re.compile(f'{_REPOSITORY_PART}/{_REPOSITORY_PART}', re.ASCII)


def is_repository(name: str) -> bool:
    """Whether a name has the form of a repository of the hub, ``user/name``.

    Args:
        name (str): What the user gave.
    """
    return _REPOSITORY.fullmatch(name) is not None and not name.endswith('.git')


def means_repository(name: str) -> bool:
    """Whether a name means a repository of the hub where a path may stand too: nothing here is, or could be, that path.

    Args:
        name (str): What the user gave.
    """
    path = Path(name)
    if not is_repository(name) or path.suffix in _OF_FILES:
        return False
    return not path.exists() and not path.is_symlink() and not path.parent.is_dir()


def is_published_file(name: str) -> bool:
    """Whether a file of that name belongs to a published folder, its card aside.

    Args:
        name (str): The name.
    """
    return name in (CONFIG, WEIGHTS, INDEX, *VOCABULARIES.values()) or _SHARD.fullmatch(name) is not None


def explain_no_model(folder: Path) -> str:
    """Say why a folder is not a published model, in a sentence; empty if it is one, as far as its config's head tells.

    Args:
        folder (Path): The folder.
    """
    if not (folder / CONFIG).exists() and not (folder / CONFIG).is_symlink():
        programs = sorted(path.name for path in folder.glob('*') if path.suffix in ('.py', '.yaml', '.yml'))
        why = f' {programs[0]} is not read: a config of that kind is a program.' if programs else ''
        return f'{folder} is not a published model: it has no {CONFIG}.{why} `mmris push` writes such a folder.'
    try:
        content = read_plain_json(folder, CONFIG, MOST_OF_CONFIG)
    except ValueError as error:
        return str(error)
    if content.get('library_name') != LIBRARY:
        return (f'{folder} is not a published model: library_name in its {CONFIG} is '
                f'{content.get("library_name")!r:.60} instead of {LIBRARY!r}. `mmris push` writes such a folder.')
    return ''


def find_plain_file(folder: Path, name: str, most: Optional[int] = None) -> Path:
    """Find a file of a published folder, which must be a plain file inside it.

    Args:
        folder (Path): The folder.
        name (str): The file's name.
        most (int, optional): The most bytes that it may have. Default: None, any number.

    Returns:
        Path: The file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is a link to outside the folder, not a plain file, or too large.
    """
    path = folder / name
    if not path.exists() and not path.is_symlink():
        raise FileNotFoundError(f'{path} is missing. Fetch all files of the published model.')
    if not _is_inside(path, folder):
        raise ValueError(f'{path} is a link to outside the folder, {path.resolve()}, and is not followed. Put the file '
                         f'itself there.')
    status = path.stat() if path.exists() else None
    if status is None or not stat.S_ISREG(status.st_mode):
        raise ValueError(f'{path} is not a plain file. Fetch the published model again.')
    if most is not None and status.st_size > most:
        raise ValueError(f'{path} has {status.st_size:,} bytes, but at most {most:,} are read. Do not use the model '
                         f'unless you know why.')
    return path


def _is_inside(path: Path, folder: Path) -> bool:
    """Whether a file lies in its folder, or is a link of the hub's cache, whose files lie in ``blobs``."""
    target, root = path.resolve(), folder.resolve()
    blobs = root.parents[1] / 'blobs' if root.parent.name == 'snapshots' else None
    return target.parent == root or target.parent == blobs


def read_plain_json(folder: Path, name: str, most: int) -> Dict[str, Any]:
    """Read a JSON file of a published folder: a dict of plain values.

    Args:
        folder (Path): The folder.
        name (str): The file's name.
        most (int): The most bytes that it may have.

    Returns:
        dict: The content.

    Raises:
        FileNotFoundError, ValueError: As :func:`find_plain_file`.
        ValueError: If it is not JSON of a dict, has a key twice, numbers that are not finite, or too many levels.
    """
    path = find_plain_file(folder, name, most)
    try:
        content = json.loads(path.read_bytes().decode('utf-8'), object_pairs_hook=_without_repeats,
                             parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        why = 'it is nested too deeply' if isinstance(error, RecursionError) else str(error)
        raise ValueError(f'{path} is not a JSON file of plain values: {why}. Fetch the published model again.') \
            from error
    if not isinstance(content, dict):
        raise ValueError(f'{path} holds {type(content).__name__} instead of a dict. Fetch the published model again.')
    _check_values(content, path)
    return content


def _without_repeats(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f'the key {next(name for name in names if names.count(name) > 1)!r:.60} is there twice')
    return content


def _refuse_constant(name: str) -> None:
    raise ValueError(f'{name} is not a number of JSON')


def _check_values(content: Any, path: Path) -> None:
    """Check levels and numbers, without recursion."""
    left = [(content, 1)]
    while left:
        value, level = left.pop()
        if level > _DEEPEST:
            raise ValueError(f'{path} has lists or dicts inside one another on more than {_DEEPEST} levels. Do not use '
                             f'the model.')
        if isinstance(value, (dict, list)):
            left += [(inner, level + 1) for inner in (value.values() if isinstance(value, dict) else value)]
        elif isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f'{path} has a number that is not finite. Fetch the published model again.')
