"""Weights alone: files to give away, named by their content."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Union

import torch
from torch import Tensor

from mmris.names import WEIGHT_FORMATS
from mmris.utils import write_atomically
from mmris.version import __version__
from mmris.zoo import find_weights

from .files import find_container, serialise, strip_layout_prefix, unwrap_weights
from .loading import DISTILLATION, read_whole
from .runs import EXCLUDED_PARTS, read_excluded_parts

# What MMEngine calls a run: the stem of its config, and when it began.
_EXPERIMENT = re.compile(r'(.+)_\d{8}_\d{6}')


@dataclass(frozen=True)
class Publication:
    """What :func:`publish` made of a checkpoint.

    Attributes:
        files (tuple[Path]): The files written.
        stripped (tuple[str]): What of the checkpoint is not in them, in words.
    """

    files: Tuple[Path, ...]
    stripped: Tuple[str, ...]


def publish(checkpoint: Union[str, Path],
            out: Union[str, Path],
            *,
            config: Optional[str] = None,
            formats: Sequence[str] = WEIGHT_FORMATS,
            half: bool = False) -> Publication:
    """Write what inference needs of a checkpoint: the weights, without distillation branches, and the config's name.

    Where weights were averaged (EMA), it is the averages that a checkpoint holds as its weights, so that they are
    published. Frozen parts that a checkpoint was saved without are not in what is published either, which says so. The
    same weights give the same files, bit for bit.

    Args:
        checkpoint (str or Path): A checkpoint that training wrote, one that was published or converted, or a name in
            the zoo.
        out (str or Path): Begin of the files' paths: ``models/name`` gives ``models/name-1a2b3c4d.pth``, where
            ``1a2b3c4d`` are the first digits of the file's SHA-256.
        config (str, optional): The config that it was trained with, as ``mmris::cris/rn50_refcoco.py`` or a path, of
            which the name is kept. Defaults to None: the one that the checkpoint names.
        formats (Sequence[str]): Of ``'pth'`` and ``'safetensors'``. Defaults to both.
        half (bool): Write floating-point weights as float16, which halves the files. Models load them into float32.
            Score the file: some digits are lost. Default: False.

    Returns:
        Publication: Files, and what was stripped.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        UnreadableCheckpointError: As :func:`read_whole`.
        ValueError: If it holds no weights, or others than tensors.
        ValueError: If neither it nor ``config`` names a config.
        ValueError: If ``half``, and a weight is too large for float16.
    """
    weights, meta, others = _open(checkpoint)
    kept = {name: weights[name] for name in sorted(weights) if not name.startswith(DISTILLATION)}
    if half:
        kept = {name: halve(name, weight) for name, weight in kept.items()}
    described = dict(
        config=_config_name(checkpoint, meta, config), mmris_version=meta.get('mmris_version', __version__))
    excluded = read_excluded_parts(dict(meta=meta), checkpoint)
    if excluded:
        described[EXCLUDED_PARTS] = excluded
    stripped = [*others, *(f'meta.{name}' for name in meta if name not in described)]
    if len(kept) < len(weights):
        stripped.append(f'{len(weights) - len(kept)} tensors of {DISTILLATION}*')

    files = []
    for suffix in formats:
        data = serialise(kept, f'.{suffix}', meta=described)
        path = Path(f'{out}-{hashlib.sha256(data).hexdigest()[:8]}.{suffix}')
        with write_atomically(path) as temporary:
            temporary.write_bytes(data)
        files.append(path)
    return Publication(tuple(files), tuple(stripped))


def _open(checkpoint: Union[str, Path]) -> Tuple[Dict[str, Tensor], dict, List[str]]:
    """Weights, meta, and the names of what else there is."""
    content = read_whole(find_weights(checkpoint))
    weights = unwrap_weights(content, str(checkpoint))
    model, beside = strip_layout_prefix(weights, str(checkpoint), _is_segmentor)
    if not beside:
        # Otherwise the prefix is a part of another model.
        weights = model
    if not weights:
        raise ValueError(f'{checkpoint} holds no weights.')
    found = find_container(content)
    beside = [name for name, value in content.items() if name != 'meta' and not _holds(value, found)]
    dropped = [name for name, value in found.items() if not isinstance(value, Tensor)]
    meta = content.get('meta')
    return weights, meta if isinstance(meta, dict) else {}, dropped if found is content else [*beside, *dropped]


def halve(name: str, weight: Tensor) -> Tensor:
    """Cast a weight to float16, if it is of floating-point numbers.

    Args:
        name (str): Its name, for the message.
        weight (Tensor): The weight.

    Returns:
        Tensor: The cast weight; one of whole numbers as it was.

    Raises:
        ValueError: If it has a value that is too large for float16.
    """
    if not weight.is_floating_point():
        return weight
    halved = weight.half()
    if not torch.equal(halved.isfinite(), weight.isfinite()):
        raise ValueError(f'{name} has the value {weight.abs().max():.3g}, but float16 holds at most 65504. Publish '
                         f'without half.')
    return halved


def _is_segmentor(state: Mapping[str, Tensor]) -> bool:
    return any(name.startswith('encoder.') for name in state)


def _holds(value: Any, found: Mapping[str, Any]) -> bool:
    return value is found or isinstance(value, Mapping) and any(_holds(one, found) for one in value.values())


def _config_name(checkpoint: Union[str, Path], meta: dict, config: Optional[str]) -> str:
    if config is not None:
        return config if '::' in config else Path(config).stem
    if 'config' in meta:
        return meta['config']
    experiment = _EXPERIMENT.fullmatch(meta.get('experiment_name', ''))
    if experiment is None:
        raise ValueError(f'{checkpoint} does not tell which config it was trained with: name it with --config.')
    return experiment[1]
