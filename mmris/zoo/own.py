"""Rows for models that are not in the table: in a folder of the user's, or elsewhere on the hub.

A copy of a published model is recognised by the files beside its weights, as the publishers' code needs them. A model
that someone published with ``mmris push`` is recognised by its config.
"""

import json
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Dict, Optional, Tuple

from mmris.hub.folder import CONFIG, INDEX, WEIGHTS, explain_no_model, means_repository

from .models import MODEL, UNKNOWN, LocalFile, ZooModel

#: Before the name of any repository of the Hugging Face hub.
HUB = 'hf-hub:'
# Files of EVF-SAM beside its weights: the sizes of its parts, its vocabulary, and the token of those that have one.
_VOCABULARY, _ADDED_TOKENS = 'sentencepiece.bpe.model', 'added_tokens.json'
#: What is downloaded of a repository, beside weights.
BESIDE = (CONFIG, _VOCABULARY, _ADDED_TOKENS)
# Rows by what `sam_scale` says, and whether there is an added token. BEiT-3 is large in all of them.
_EVF_SAM: Dict[Tuple[str, bool], str] = {
    ('huge', False): 'evf-sam',
    ('huge', True): 'evf-sam-multitask',
    ('large', False): 'evf-sam2',
    ('large', True): 'evf-sam2-multitask',
}


@dataclass(frozen=True)
class Copy:
    """A copy of a published model.

    Attributes:
        original (str): Name of the row that it is a copy of.
        weights (LocalFile): Its weights, or the folder that has them.
        vocabulary (LocalFile): Its vocabulary.
    """
    original: str
    weights: LocalFile
    vocabulary: LocalFile


def find_copy(name: object) -> Optional[Copy]:
    """Find which row of the zoo a folder, a file or a repository is a copy of.

    Args:
        name (object): What the user gave: a folder as the hub gives it, a file of weights in such a folder, or
            ``'hf-hub:OWNER/NAME'``.

    Returns:
        Copy, optional: The copy. None if it is none.

    Raises:
        FileNotFoundError, ConnectionError, OSError: If a repository cannot be downloaded.
    """
    text = str(name)
    path = _fetch(text.removeprefix(HUB)) if text.startswith(HUB) else Path(text)
    try:
        folder = path if path.is_dir() else path.parent if path.is_file() else None
        original = None if folder is None else _recognise(folder)
    except (OSError, ValueError, RecursionError):
        # What is no path at all, or cannot be read.
        return None
    if original is None:
        return None
    return Copy(original, LocalFile(path=str(path)), LocalFile(path=str(folder / _VOCABULARY)))


def copy_of(row: ZooModel, copy: Copy, name: object) -> ZooModel:
    """The row of a copy: that of the original, with the copy's files and without scores.

    Args:
        row (ZooModel): The original's.
        copy (Copy): The copy.
        name (object): What the user calls it.
    """
    vocabulary = replace(copy.vocabulary, source=row.vocabulary.place)
    return replace(row, name=str(name), weights=copy.weights, vocabulary=vocabulary, scores=())


def with_hub(name: object) -> object:
    """Mark what means a repository of the hub as such, where a model is named.

    Args:
        name (object): What the user gave.

    Returns:
        object: ``'hf-hub:user/name'`` for ``'user/name'``, unless such a path is, or could be, here. Anything else as
        it was.
    """
    return f'{HUB}{name}' if isinstance(name, str) and means_repository(name) else name


def find_folder(name: object) -> Optional[Path]:
    """Find the folder that a name means, which may hold a published model.

    Args:
        name (object): What the user gave: a folder, its ``config.json``, or ``'hf-hub:OWNER/NAME'``.

    Returns:
        Path, optional: The folder. None if the name means none.

    Raises:
        FileNotFoundError, ConnectionError, OSError: If a repository cannot be downloaded.
    """
    text = str(name)
    path = _fetch(text.removeprefix(HUB)) if text.startswith(HUB) else Path(text)
    try:
        if path.name == CONFIG and path.is_file() and ((path.parent / WEIGHTS).exists() or
                                                       (path.parent / INDEX).exists()):
            return path.parent
        return path if path.is_dir() else None
    except (OSError, ValueError):
        # What is no path at all, or cannot be read.
        return None


def find_published(name: object) -> Optional[ZooModel]:
    """Find the model that someone published in a folder or a repository, by the head of its config alone.

    Args:
        name (object): As :func:`find_folder` takes it.

    Returns:
        ZooModel, optional: A row for it. None if there is none.

    Raises:
        FileNotFoundError, ConnectionError, OSError: If a repository cannot be downloaded.
    """
    folder = find_folder(name)
    if folder is None or explain_no_model(folder):
        return None
    weights = INDEX if (folder / INDEX).exists() and not (folder / WEIGHTS).exists() else WEIGHTS
    return ZooModel(
        name=str(name),
        kind=MODEL,
        config=str(folder / CONFIG),
        weights=LocalFile(path=str(folder / weights), source=str(name)),
        licence='see its card',
        trained_on='see its card',
        test_images=UNKNOWN,
        link='',
        folder=str(folder))


def _recognise(folder: Path) -> Optional[str]:
    config = folder / CONFIG
    if not config.is_file() or config.stat().st_size > 1_000_000:
        return None
    said = json.loads(config.read_text(encoding='utf-8'))
    if not isinstance(said, dict) or said.get('mm_extractor_scale') != 'large':
        return None
    scale = said.get('sam_scale')
    return _EVF_SAM.get((scale, (folder / _ADDED_TOKENS).is_file())) if isinstance(scale, str) else None


@cache
def _fetch(repository: str) -> Path:
    from .hub import download_repository
    return download_repository(repository, BESIDE)
