"""Whether the weights of a published model are those of its config, before memory is taken for either."""

import re
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, Mapping, Sequence, Tuple

import safetensors
import torch
from mmengine.registry import init_default_scope
from torch import Tensor, nn
from torch.nn.modules.module import register_module_module_registration_hook

from mmris.checkpoints.files.safetensors_file import DTYPES
from mmris.checkpoints.files.shards import read_index
from mmris.checkpoints.misfits import compare_weights
from mmris.registry import MODELS
from mmris.utils.terminal import one_line
from mmris.utils.text import shorten

from .folder import INDEX, MOST_OF_INDEX, WEIGHTS, find_plain_file, is_published_file

# A model is built of at most so many modules for each tensor. The project's have up to 4, and at most 1,677 in all.
_MODULES_PER_TENSOR = 20
# The limit is never below the first, and never above the second: a stranger's file can have many empty tensors.
_MODULES_AT_LEAST, _MODULES_AT_MOST = 2000, 20_000
# The project's models have at most 1,702 tensors.
_MOST_TENSORS = 20_000
# Names of the project's tensors fit this. Others are refused: messages list names, and terminals would obey them.
_TENSOR = re.compile(r'[\w.]{1,200}', re.ASCII)
# Bytes of what a model computes for itself when it is built, such as tables of positions. The project's have 7 million.
_MOST_OF_BUFFERS = 2**28


def find_weight_files(folder: Path) -> Tuple[Path, Tuple[Path, ...]]:
    """Find the weights of a published folder: one file, or the index of several.

    Args:
        folder (Path): The folder.

    Returns:
        tuple[Path, tuple[Path]]: What to load: the file, or the index; and the files that hold tensors.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If one is a link to outside the folder, no plain file, or the index is malformed.
    """
    if (folder / WEIGHTS).exists() or not (folder / INDEX).exists():
        path = find_plain_file(folder, WEIGHTS)
        return path, (path, )
    index = find_plain_file(folder, INDEX, MOST_OF_INDEX)
    names = [path.name for path in read_index(index, str(index))]
    other = next((name for name in names if not is_published_file(name)), None)
    if other is not None:
        raise ValueError(f'{index}: weight_map names {other!r}, but the parts of weights have names such as '
                         f'model-00001-of-00003.safetensors. Fetch the published model again.')
    return index, tuple(find_plain_file(folder, name) for name in names)


def read_shapes(files: Tuple[Path, ...]) -> Dict[str, Tensor]:
    """Read the names, shapes and types of the tensors of files of safetensors, without their values.

    Args:
        files (tuple[Path]): The files.

    Returns:
        dict[str, Tensor]: By name, tensors on the meta device.

    Raises:
        ValueError: If a file is no safetensors file, or has numbers of a type or a shape that no model has.
        ValueError: If the files have more than 20,000 tensors, or the name of one has other characters than
            letters, digits, dots and underscores, or more than 200.
    """
    found: Dict[str, Tensor] = {}
    for path in files:
        try:
            with safetensors.safe_open(path, framework='pt') as file:
                keys = file.keys()
                _check_names(path, keys, len(found))
                entries = [(key, file.get_slice(key)) for key in keys]
                shapes = {key: (one.get_dtype(), one.get_shape()) for key, one in entries}
                metadata = file.metadata() or {}
        except safetensors.SafetensorError as error:
            # The error may quote a name from the file.
            raise ValueError(f'{path} is not a safetensors file ({one_line(str(error))[:200]}). Weights of a published '
                             f'model are not read in any other format, since pickles run code. Fetch it again.'
                             ) from error
        if 'excluded_parts' in metadata.get('meta', ''):
            raise ValueError(f'{path} lacks parts that were excluded when it was saved. A published model needs all '
                             f'weights: publish it with `mmris push`, which writes them.')
        for key, (kind, shape) in shapes.items():
            if kind not in DTYPES:
                raise ValueError(f'{path}: {key} has numbers of the type {kind}, which no model has.')
            try:
                found[key] = torch.empty(shape, dtype=DTYPES[kind], device='meta')
            except (TypeError, ValueError, RuntimeError) as error:
                # Without a number, a tensor can have any sides.
                raise ValueError(f'{path}: {key} has the shape {shorten(shape)}, which no tensor has. Do not use the '
                                 f'model.') from error
    return found


def build_without_memory(model: Mapping[str, Any], tensors: int) -> nn.Module:
    """Build a model on the meta device, of no more modules than weights would fill.

    Args:
        model (Mapping): Its config, which was checked.
        tensors (int): How many tensors its weights have.

    Returns:
        nn.Module: The model.

    Raises:
        ValueError: If it has too many modules, or its parts do not go together.
    """
    init_default_scope('mmris')
    most = min(_MODULES_AT_MOST, max(_MODULES_AT_LEAST, _MODULES_PER_TENSOR * tensors))
    with torch.device('meta'), _at_most(most):
        return MODELS.build(dict(model))


def check_weights(config_path: Path, model: Mapping[str, Any], files: Tuple[Path, ...]) -> None:
    """Check that the weights of a published model are those of its config.

    Args:
        config_path (Path): Its config, for messages.
        model (Mapping): ``model`` of that config, which was checked.
        files (tuple[Path]): The files of the weights.

    Raises:
        ValueError: If the model cannot be built, its weights are others, or it would take memory beside them.
    """
    given = read_shapes(files)
    try:
        built = build_without_memory(model, len(given))
    except Exception as error:
        # A constructor given nonsense may raise anything.
        raise ValueError(f'{config_path}: model cannot be built: {error} Fetch the published model again, or ask its '
                         f'publisher.') from error
    expected = built.state_dict()
    misfits = compare_weights(expected, given)
    if misfits:
        raise ValueError(f'{files[0]} has other weights than the model of {config_path}. {misfits} Fetch both files '
                         f'again.')
    beside = sum(buffer.numel() * buffer.element_size() for name, buffer in built.named_buffers()
                 if name not in expected)
    if beside > _MOST_OF_BUFFERS:
        raise ValueError(f'{config_path}: model would take {beside:,} bytes beside its weights, but at most '
                         f'{_MOST_OF_BUFFERS:,} are expected. Do not use the model.')


def _check_names(path: Path, names: Sequence[str], before: int) -> None:
    """Check the names of a file's tensors, and that there are not too many with those of the files before."""
    if before + len(names) > _MOST_TENSORS:
        raise ValueError(f'{path}: the weights have {before + len(names):,} tensors, but at most {_MOST_TENSORS:,} are '
                         f'read. Do not use the model.')
    for name in names:
        if not _TENSOR.fullmatch(name):
            raise ValueError(f'{path} has a tensor named {shorten(name)}, but names of tensors have letters, digits, '
                             f'dots and underscores alone, at most 200. Do not use the model.')


@contextmanager
def _at_most(most: int) -> Iterator[None]:
    """Have this thread register at most so many modules."""
    owner, seen = threading.get_ident(), []

    def count(_: nn.Module, name: str, __: nn.Module) -> None:
        if threading.get_ident() == owner:
            seen.append(name)
            if len(seen) > most:
                raise ValueError(f'it has more than {most:,} modules, too many for the weights in the file.')

    handle = register_module_module_registration_hook(count)
    try:
        yield
    finally:
        handle.remove()
