"""Weights of a published model from a file, a folder or a tag, whatever layout they are in."""

import json
from pathlib import Path
from typing import Any, Mapping, Optional, Sequence, Tuple

from mmris.utils.json_files import JSON_ERRORS
from mmris.zoo import TOWERS, ZooModel, find_model, find_weights

from ..files import (
    WEIGHTS_NAMES,
    State,
    find_weights_in,
    strip_layout_prefix,
    unreadable,
    unwrap_weights,
)
from ..runs import best_checkpoint, read_excluded_parts
from .key_map import EXCLUDED, KeyMapError
from .model import Layout, PublishedModel, PublishedWeights

_FLAG = 'quick_gelu'


def read_published(model: PublishedModel,
                   source: str,
                   *,
                   architecture: Any = None,
                   trust: bool = False,
                   trust_option: str = 'trust_pretrained=True of the encoder',
                   kind: Optional[str] = None) -> PublishedWeights:
    """Read weights of a published model in one of its layouts or in ours, recognised by their keys.

    Args:
        model (PublishedModel): The model.
        source (str): A file or an address; a folder as the Hugging Face hub gives it; the work folder of a training
            here, of which the best checkpoint is read; a name in the zoo; or a tag, if the model has tags. Of a model
            trained here, the published model's part is read.
        architecture (str or dict, optional): What the weights are for: a tag belongs to an architecture. Default: None.
        trust (bool): Also read a file that holds more than tensors, by running what it says. Default: False.
        trust_option (str): What users set for ``trust``, for the message of a refusal.
        kind (str, optional): What a name in the zoo must be of: ``'towers'`` or ``'model'``. Default: None, either.

    Returns:
        PublishedWeights: The weights, in the file's types of numbers.

    Raises:
        FileNotFoundError: If there is no such file, and the model has no tags.
        ValueError: If a folder holds no weights, or ``source`` is neither a file nor a folder nor a tag.
        ConnectionError: If a tag or a name in the zoo cannot be downloaded.
        ValueError: If a name in the zoo is of another kind, or of another published model.
        UnreadableCheckpointError: If the file holds no weights of the model, was saved without them, is truncated or
            damaged, holds more than tensors, or has a config file beside it that names no known activation.
        KeyMapError: If keys are left over, or keys that belong together are not all there.
    """
    named = find_model(source, folders=True)
    if named is None:
        path, tagged = _find_file(model, source, architecture)
    else:
        _check_named(model, named)
        path, tagged = find_weights(source, kind), named.quick_gelu
    try:
        checkpoint = model.read_file(path, trust=trust, trust_option=trust_option)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f'{error} docs/pretrained.md says where {model.title}\'s files come from, and how to name one that lies '
            f'elsewhere.') from error
    check_saved_parts(checkpoint, path, [model.root + part for part in model.parts])
    state, beside = strip_layout_prefix(unwrap_weights(checkpoint, path), path, model.is_in, model.knows)
    layout = model.find_layout(state)
    if layout is not None:
        ours, others = layout.to_ours(state, path), ()
        quick_gelu = _read_quick_gelu(layout, path)
    else:
        ours, others = _select(model, state, path)
        quick_gelu = _read_flags(ours, path)
    return PublishedWeights(
        state={key: value for key, value in ours.items() if not key.startswith(EXCLUDED) and not _is_flag(key)},
        excluded={key.removeprefix(EXCLUDED): value for key, value in ours.items() if key.startswith(EXCLUDED)},
        source=path,
        quick_gelu=tagged if quick_gelu is None else quick_gelu,
        others=(*others, *beside))


def _find_file(model: PublishedModel, source: str, architecture: Any) -> Tuple[str, Optional[bool]]:
    """The file that holds the weights, and the activation where a tag stands for it."""
    if Path(source).is_dir():
        return str(find_in_folder(Path(source))), None
    if model.find_tag is None or Path(source).is_file() or '://' in source:
        return source, None
    return model.find_tag(source, architecture)


def _check_named(model: PublishedModel, named: ZooModel) -> None:
    if named.kind == TOWERS and named.published != model.name:
        raise ValueError(
            f'{named.name} is not {model.title}, which is needed here. `mmris models` lists what there is.')


def find_in_folder(folder: Path) -> Path:
    """Find the weights in a folder: of the Hugging Face hub's form, or the best checkpoint of a training here.

    Raises:
        ValueError: If there are none.
    """
    found = find_weights_in(folder)
    if found is not None:
        return found
    try:
        return best_checkpoint(folder)
    except FileNotFoundError as error:
        raise ValueError(
            f'{folder} is a folder without weights: none of {", ".join(WEIGHTS_NAMES)} is there, nor a best_*.pth that '
            f'a training here leaves.') from error


def check_saved_parts(checkpoint: Mapping[str, Any], path: str, parts: Sequence[str]) -> None:
    """Check that a checkpoint of a training was not saved without parts, given by prefixes of their keys.

    Raises:
        UnreadableCheckpointError: If it was.
    """
    excluded = [f'{name}.' for name in read_excluded_parts(checkpoint, path)]
    absent = [
        name.removesuffix('.') for name in excluded
        if any(part.startswith(name) or name.startswith(part) for part in parts)
    ]
    if absent:
        raise unreadable(
            path, f'it was saved without {" and ".join(absent)}: give the file that these were loaded from')


def _select(model: PublishedModel, state: State, path: str) -> Tuple[State, Tuple[str, ...]]:
    """The published model's weights out of weights in our layout, and the keys of the rest."""
    alone = model.matches_ours(state)
    if not alone and not model.matches_ours(model.below(state)):
        names = ', '.join(dict.fromkeys(layout.key_map.name for layout in model.layouts))
        begin = ', '.join(sorted(state)[:5]) or 'nothing'
        raise unreadable(path, f'it holds no {model.title} weights by the keys of {names} or mmris, but {begin}')
    root = '' if alone else model.root
    names = {key: key.removeprefix(root) for key in state if key.startswith((root, EXCLUDED))}
    kept = {
        key: name
        for key, name in names.items()
        if name.startswith((EXCLUDED, *model.additions)) or _is_flag(name) or model.has(name)
    }
    unknown = [name for key, name in names.items() if key not in kept and not name.startswith(model.ignored)]
    if unknown and alone:
        raise KeyMapError(f'{path}: of the keys in our layout no rule of {model.title} knows: {", ".join(unknown)}.')
    return {name: state[key] for key, name in kept.items()}, tuple(key for key in state if key not in kept)


def _is_flag(key: str) -> bool:
    return key.rpartition('.')[2] == _FLAG


def _read_flags(ours: State, path: str) -> Optional[bool]:
    said = {bool(value) for key, value in ours.items() if _is_flag(key)}
    if len(said) > 1:
        raise unreadable(path, 'its image and text tower have different activations')
    return said.pop() if said else None


def _read_quick_gelu(layout: Layout, path: str) -> Optional[bool]:
    if layout.quick_gelu is not None or layout.config is None or '://' in path:
        return layout.quick_gelu
    config = Path(path).with_name(layout.config.name)
    if not config.is_file():
        return None
    try:
        return layout.config.read_quick_gelu(json.loads(config.read_text(encoding='utf-8')))
    except (*JSON_ERRORS, KeyError, AttributeError, TypeError) as error:
        raise unreadable(path, f'{config} beside it does not tell its activation ({error!r})') from error
