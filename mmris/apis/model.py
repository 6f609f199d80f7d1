"""A model from a config, and a checkpoint if it needs one."""

import logging
from contextlib import nullcontext
from copy import deepcopy
from pathlib import Path
from typing import Any, Dict, Optional, Tuple, Union

import torch
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.registry import init_default_scope
from torch import nn

from mmris.checkpoints import load_model_weights, read_model_checkpoint
from mmris.checkpoints.runs import load_pretrained, pretrained_parts
from mmris.datasets.pipelines import resolve_pipelines
from mmris.models.segmentors import compile_stages
from mmris.names import DTYPES
from mmris.registry import MODELS
from mmris.utils import empty_parameters, is_part
from mmris.utils.resources import read_model_config, read_named_config
from mmris.zoo import (
    MODEL,
    LocalFile,
    ZooModel,
    fetch_vocabulary,
    fetch_weights,
    find_copy,
    find_model,
    get_model,
)


def init_model(config: Union[str, Path, Config],
               checkpoint: Optional[Union[str, Path]] = None,
               device: Optional[str] = None,
               dtype: Union[str, torch.dtype] = torch.float32,
               compile: Union[bool, Dict[str, Any]] = False) -> nn.Module:
    """Build a model for inference.

    Args:
        config (str, Path or Config): A config file, the name of one of the project's
            (``'mmris::cm_masksd/vit-tiny_shaperef.py'``), a name in the zoo, a model that someone published (a folder,
            or ``'user/name'`` on the Hugging Face hub; nothing in it is run), or a read one.
        checkpoint (str or Path, optional): A checkpoint of training, a file or folder as a published whole model has
            it, or a name in the zoo. Defaults to None: the weights of the zoo if ``config`` is a name there, the
            pretrained weights of a model that needs no training (see :func:`init_untrained`), random weights of any
            other.
        device (str, optional): Such as ``'cpu'`` or ``'cuda:0'``. Defaults to None: a GPU where there is one.
        dtype (str or torch.dtype): Type of the weights: ``'float32'``, ``'float16'`` or ``'bfloat16'``. Memory holds
            no others while a checkpoint is loaded, whatever its own type is. Default: float32.
        compile (bool or dict): Compile the model's stages, with options of ``torch.compile`` or without: see
            :func:`~mmris.models.segmentors.compile_stages`. Default: False.

    Returns:
        nn.Module: The model in evaluation mode; its ``cfg`` is the config.

    Raises:
        ValueError: If ``device`` is the name of no device, or a GPU that is not there.
        ValueError: If ``dtype`` is none of these types.
        FileNotFoundError: If there is no such config or checkpoint.
        ValueError, RuntimeError: If the checkpoint cannot be read or does not fit (see
            :func:`mmris.checkpoints.load_model_weights`).
        FileNotFoundError, ConnectionError, ValueError: If weights of the zoo cannot be fetched.
        FileNotFoundError, ValueError, RuntimeError: If the model needs no training, and its pretrained weights cannot
            be read or do not fit.
    """
    _check_device(device)
    dtype = find_dtype(dtype)
    if isinstance(config, Config):
        config = deepcopy(config)
    else:
        named, config = find_model(config, hub=True), read_named_config(config)
        if named is not None:
            checkpoint = checkpoint or (named.weights and fetch_weights(named))
    _take_vocabulary(config, checkpoint)
    warn_of_another_config(config, checkpoint)
    resolve_pipelines(config)
    init_default_scope('mmris')
    if checkpoint is not None:
        model = _load(config, checkpoint, dtype)
    else:
        model = MODELS.build(config.model)
        if not _find_needs(model):
            init_untrained(model)
    model.cfg = config
    model.to(device or ('cuda' if torch.cuda.is_available() else 'cpu'), dtype)
    if compile:
        compile_stages(model, **(compile if isinstance(compile, dict) else {}))
    return model.eval()


def _take_vocabulary(config: Config, checkpoint: Optional[Union[str, Path]]) -> None:
    """Take the vocabulary that stands beside a copy of a published model, if the config names that of the original."""
    copy = None if checkpoint is None else find_copy(checkpoint)
    tokenizer = (config.get('inputs') or {}).get('tokenizer')
    named = None if copy is None or tokenizer is None else find_model(tokenizer.get('vocabulary'))
    if named is None:
        return
    if Path(copy.vocabulary.path).is_file():
        tokenizer.vocabulary = copy.vocabulary.path
    elif isinstance(named.vocabulary, LocalFile):
        # The copy's own is missing: say so before the weights are read.
        fetch_vocabulary(named)


def warn_of_another_config(config: Config, checkpoint: Optional[Union[str, Path]]) -> None:
    """Warn if a checkpoint is a model of the zoo, or a copy of one, whose own config predicts otherwise.

    The weights of such models have the same names and shapes, so that nothing else would tell.

    Args:
        config (Config): The config that is used.
        checkpoint (str or Path, optional): What the user gave. None: nothing.
    """
    if checkpoint is None:
        return
    copy = find_copy(checkpoint)
    named = find_model(checkpoint) if copy is None else get_model(copy.original)
    if named is None or named.kind != MODEL:
        return
    own = read_model_config(named)
    differing = []
    for key in ('model.protocol', 'model.head.mask', 'inputs.tokenizer.semantic_token'):
        given, wanted = _value(config, key), _value(own, key)
        if given != wanted:
            differing.append(f'{key} is {given!r} instead of {wanted!r}')
    if differing:
        print_log(
            f'{checkpoint} is {named.name}, whose config is {named.config}. The config that is used differs: '
            f'{"; ".join(differing)}.', logger='current', level=logging.WARNING)


def _value(config: Config, key: str) -> Any:
    """A value of a config by its dotted key; None if it has none."""
    value: Any = config
    for name in key.split('.'):
        value = None if value is None else value.get(name)
    return value


def _load(config: Config, path: Union[str, Path], dtype: torch.dtype) -> nn.Module:
    """A model with the weights of a checkpoint, which never has any others where the checkpoint brings them all."""
    checkpoint = read_model_checkpoint(path, dtype)
    # Branches of distillation may be in the model and not in the checkpoint.
    whole = checkpoint.is_whole and not config.model.get('distillation')
    with empty_parameters() if whole else nullcontext():
        model = MODELS.build(config.model)
    model.to(dtype)
    load_model_weights(model, checkpoint)
    return model


def find_dtype(dtype: Union[str, torch.dtype]) -> torch.dtype:
    """Find a type of weights by its name.

    Args:
        dtype (str or torch.dtype): Such as ``'float16'``.

    Returns:
        torch.dtype: The type.

    Raises:
        ValueError: If it is none of :data:`mmris.names.DTYPES`.
    """
    found = getattr(torch, dtype) if dtype in DTYPES else dtype
    if found not in [getattr(torch, name) for name in DTYPES]:
        raise ValueError(f'dtype must be one of {", ".join(DTYPES)}, but got {dtype!r}.')
    return found


def read_zoo_model(model: ZooModel) -> Tuple[Config, Optional[Path]]:
    """Read the config of a model of the zoo, and fetch its weights if needed.

    Args:
        model (ZooModel): Its row.

    Returns:
        tuple[Config, Path or None]: The config, which names vocabulary and towers, and the checkpoint, which is None if
        the model needs towers alone.

    Raises:
        ValueError: If the row is of towers.
        FileNotFoundError, ConnectionError, OSError, ValueError: If a file cannot be fetched.
    """
    return read_model_config(model), None if model.weights is None else fetch_weights(model)


def _check_device(device: Optional[str]) -> None:
    if device is None:
        return
    try:
        wanted = torch.device(device)
    except RuntimeError as error:
        raise ValueError(
            f"device is {device!r}, but PyTorch knows no such device: take 'cpu', or 'cuda:0' for a GPU.") from error
    if wanted.type == 'cuda' and not torch.cuda.is_available():
        raise ValueError(f"device is {device!r}, but there is no GPU that PyTorch can use: take 'cpu', or none.")
    if wanted.type == 'cuda' and (wanted.index or 0) >= torch.cuda.device_count():
        raise ValueError(f"device is {device!r}, but the last GPU is 'cuda:{torch.cuda.device_count() - 1}': take one "
                         f'that there is.')


def init_untrained(model: nn.Module) -> None:
    """Load the pretrained weights of a model that needs no training: its encoder has them, and nothing else has any.

    Args:
        model (nn.Module): A :class:`~mmris.models.segmentors.ReferringSegmentor`.

    Raises:
        ValueError: If some of it is to be trained, its encoder has no pretrained weights, or it has more weights than
            those.
        FileNotFoundError, ValueError, RuntimeError: If those cannot be read or do not fit.
    """
    check_untrained(model)
    load_pretrained(model)


def check_untrained(model: nn.Module) -> None:
    """Check that a model needs no training.

    Args:
        model (nn.Module): A :class:`~mmris.models.segmentors.ReferringSegmentor`.

    Raises:
        ValueError: If some of it is to be trained, its encoder has no pretrained weights, or it has more weights than
            those.
    """
    needs = _find_needs(model)
    if needs:
        raise ValueError(
            f'Without a checkpoint a model can be evaluated only if nothing of it is trained, but {needs}. Name a '
            f'checkpoint of a training, or a config that needs none.')


def _find_needs(model: nn.Module) -> str:
    """What keeps a model from being used without training; empty if nothing does."""
    trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    if trained:
        parts = ', '.join(dict.fromkeys(name.partition('.')[0] for name in trained))
        return f'{len(trained)} tensors of {parts} are (model.frozen names what is not)'
    filled = pretrained_parts(model)
    if not filled:
        return 'model.encoder.pretrained is not set'
    # A single number, such as CosineHead's scale, is what its config says, not random.
    random = [
        name for name, parameter in model.named_parameters() if parameter.numel() > 1 and not is_part(name, filled)
    ]
    return f'{", ".join(random[:3])} and so on would be random' if random else ''
