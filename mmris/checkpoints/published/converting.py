"""Files of a published model from any of its layouts to any other, and to ours and back."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import List, Optional, Tuple

import torch

from mmris.utils import write_atomically
from mmris.utils.json_files import write_json_file
from mmris.version import __version__

from ..files import State, serialise
from .key_map import EXCLUDED
from .model import OUR_SUFFIXES, OURS, Layout, PublishedModel, PublishedWeights, activation_name
from .reading import read_published

# What files of weights end with: names of folders do not.
_SUFFIXES = ('.safetensors', '.pt', '.pth', '.bin', '.ckpt')


@dataclass(frozen=True)
class Conversion:
    """What :func:`convert` made.

    Attributes:
        files (tuple[Path]): The files written.
        tensors (int): How many of our tensors they hold.
        description (str): Which architecture they are of, in words.
        dropped (tuple[str]): Modules of the input that are not in them, since the layout has no place for them.
    """

    files: Tuple[Path, ...]
    tensors: int
    description: str
    dropped: Tuple[str, ...]


def convert(model: PublishedModel,
            source: str,
            out: str,
            to: str = OURS,
            *,
            quick_gelu: Optional[bool] = None,
            trust: bool = False) -> Conversion:
    """Convert a file of a published model, bit for bit.

    Args:
        model (PublishedModel): The model.
        source (str): What :func:`read_published` reads.
        out (str): The file to write, or the folder if the layout is written to one.
        to (str): The layout to write, one of ``model.written``. Default: ``'mmris'``.
        quick_gelu (bool, optional): Whether the weights were trained with QuickGELU, not GELU, where the input does
            not say. Default: None.
        trust (bool): Also read a file that holds more than tensors, by running what it says. Default: False.

    Returns:
        Conversion: The files, and what is in them.

    Raises:
        ValueError: If ``out`` has a suffix that the layout is not written to.
        ValueError: If the input does not hold the whole model, or contradicts ``quick_gelu``.
        ValueError: If the layout cannot hold the architecture or its activation, or needs an activation that nothing
            says.
        FileNotFoundError, UnreadableCheckpointError, KeyMapError: As :func:`read_published`.
    """
    layout, target = model.written[to], Path(out)
    _check_out(layout, target, to)
    weights = _with_activation(read_published(model, source, trust=trust, trust_option='--trust'), quick_gelu)
    description = model.describe(weights)
    _check_activation(model, weights, layout)
    state = {**weights.state, **{EXCLUDED + key: value for key, value in weights.excluded.items()}}
    dropped: List[str] = []
    if layout is None:
        state.update({key: torch.tensor(weights.quick_gelu) for key in model.quick_gelu_keys(weights.state)})
        files = (_write(state, target, meta=dict(mmris_version=__version__)), )
    else:
        dropped = [
            key for key in state if key.startswith((EXCLUDED, *model.additions)) and not layout.key_map.has(key)
        ]
        files = _write_published(layout, {key: state[key] for key in state if key not in dropped}, weights, target)
    modules = {'.'.join(key.split('.')[:2]) for key in weights.others}
    modules |= {key.removeprefix(EXCLUDED).partition('.')[0] for key in dropped}
    return Conversion(files, len(state) - len(dropped), description, tuple(sorted(modules)))


def _check_out(layout: Optional[Layout], out: Path, name: str) -> None:
    suffixes = OUR_SUFFIXES if layout is None else layout.suffixes
    if layout is not None and layout.is_folder:
        if out.suffix in _SUFFIXES or out.is_file():
            raise ValueError(f'Layout {name} is written to a folder, but out is {out}.')
    elif out.suffix not in suffixes:
        raise ValueError(
            f'Layout {name} is written to a file that ends with {" or ".join(suffixes)}, but out is {out}.')


def _with_activation(weights: PublishedWeights, quick_gelu: Optional[bool]) -> PublishedWeights:
    if quick_gelu is None:
        return weights
    if weights.quick_gelu not in (None, quick_gelu):
        raise ValueError(
            f'{weights.source} was trained with {activation_name(weights.quick_gelu)}: leave the option out.')
    return replace(weights, quick_gelu=quick_gelu)


def _check_activation(model: PublishedModel, weights: PublishedWeights, layout: Optional[Layout]) -> None:
    if layout is None:
        needed = bool(model.quick_gelu_keys(weights.state))
    else:
        needed = layout.is_folder or layout.quick_gelu is not None
    name = OURS if layout is None else layout.name
    if needed and weights.quick_gelu is None:
        raise ValueError(
            f'{weights.source} does not tell whether its weights were trained with QuickGELU (as OpenAI\'s) or GELU, '
            f'which layout {name} needs: say it with --quick-gelu or --gelu.')
    if layout is not None and layout.quick_gelu not in (None, weights.quick_gelu):
        raise ValueError(
            f'{weights.source} was trained with {activation_name(weights.quick_gelu)}, but code that reads '
            f'{layout.key_map.name}\'s layout computes {activation_name(layout.quick_gelu)}.')


def _write_published(layout: Layout, ours: State, weights: PublishedWeights, out: Path) -> Tuple[Path, ...]:
    # Before the weights: those that cannot be described are not written.
    config = layout.config.make(weights) if layout.is_folder else None
    state = layout.key_map.to_theirs(ours, weights.source)
    state = {layout.prefix + key: value for key, value in state.items()}
    if config is None:
        return (_write(state, out, entry=layout.entry, joined=layout.joined), )
    files = (_write(state, out / 'model.safetensors', entry=None), out / layout.config.name)
    write_json_file(files[1], config)
    return files


def _write(state: State, path: Path, **options: object) -> Path:
    data = serialise({key: state[key] for key in sorted(state)}, path.suffix, **options)
    with write_atomically(path) as temporary:
        temporary.write_bytes(data)
    return path
