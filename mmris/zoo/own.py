"""Rows for copies of a published model: in a folder of the user's, or elsewhere on the hub.

A copy is recognised by the files beside its weights, as the publishers' code needs them.
"""

import json
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Dict, Optional, Tuple

from .models import LocalFile, ZooModel

#: Before the name of any repository of the Hugging Face hub.
HUB = 'hf-hub:'
# Files of EVF-SAM beside its weights: the sizes of its parts, its vocabulary, and the token of those that have one.
_CONFIG, _VOCABULARY, _ADDED_TOKENS = 'config.json', 'sentencepiece.bpe.model', 'added_tokens.json'
#: What is downloaded of a repository, beside weights.
BESIDE = (_CONFIG, _VOCABULARY, _ADDED_TOKENS)
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
    except (OSError, ValueError):
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


def _recognise(folder: Path) -> Optional[str]:
    config = folder / _CONFIG
    if not config.is_file() or config.stat().st_size > 1_000_000:
        return None
    said = json.loads(config.read_text(encoding='utf-8'))
    if not isinstance(said, dict) or said.get('mm_extractor_scale') != 'large':
        return None
    return _EVF_SAM.get((said.get('sam_scale'), (folder / _ADDED_TOKENS).is_file()))


@cache
def _fetch(repository: str) -> Path:
    from .hub import download_repository
    return download_repository(repository, BESIDE)
