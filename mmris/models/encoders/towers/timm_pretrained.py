"""Weights of timm's models, from a file or by timm's tags."""

import sys
from pathlib import Path
from typing import Any, Dict, Tuple

import timm
from huggingface_hub import hf_hub_download
from mmengine.logging import print_log
from torch import Tensor, nn

from mmris.checkpoints import read_checkpoint, strip_model_prefix, unwrap_weights
from mmris.checkpoints.misfits import compare_weights
from mmris.zoo import TOWERS, find_model, find_weights

from .timm_models import TimmForm

# Of models trained here: where an encoder has the tower.
_ROOTS = ('encoder.image.timm.', 'image.timm.', 'timm.')
_STEM = 'stem.'


def load_timm(module: nn.Module, name: str, form: TimmForm, source: str, *, trust: bool) -> None:
    """Load weights into a model of timm whose stem is split off.

    Args:
        module (nn.Module): The model.
        name (str): timm's name of it.
        form (TimmForm): What it was built by.
        source (str): A tag, a file or an address.
        trust (bool): Also read a file that holds more than tensors.

    Raises:
        FileNotFoundError, ValueError: If ``source`` is neither a tag of the model nor a file, or cannot be read.
        ConnectionError: If a tag cannot be downloaded.
        RuntimeError: If it holds another model.
    """
    path = _find_file(name, source)
    state = unwrap_weights(
        read_checkpoint(path, trust=trust, trust_option='trust_pretrained=True of TimmTower'), path)
    state = _to_timm(module, name, form, state, path)
    expected = {_timms_key(key, form.stem): value for key, value in module.state_dict().items()}
    misfits = compare_weights(
        {key: value for key, value in expected.items() if key in state or not key.endswith('num_batches_tracked')},
        {key: value for key, value in state.items() if key in expected or key not in form.keys})
    if misfits:
        raise RuntimeError(f'{path} does not fit {name} of timm, as TimmTower was to build it. {misfits}')
    module.load_state_dict({
        key: state[theirs] for key in module.state_dict() if (theirs := _timms_key(key, form.stem)) in state
    }, strict=False)
    print_log(f'Loaded {name} of timm from {path}.', logger='current')


def _timms_key(key: str, stem: str) -> str:
    own = f'{stem}.{_STEM}'
    return f'{stem}.{key[len(own):]}' if key.startswith(own) else key


def _to_timm(module: nn.Module, name: str, form: TimmForm, state: Dict[str, Tensor], path: str) -> Dict[str, Tensor]:
    """Bring weights to timm's names, positions to the size that the model was built for."""
    root = next((root for root in _ROOTS if any(key.startswith(root) for key in state)), None)
    if root is not None:
        return {
            _timms_key(key[len(root):], form.stem): value for key, value in state.items() if key.startswith(root)
        }
    state = strip_model_prefix(state, form.keys, path)
    convert = getattr(sys.modules[timm.model_entrypoint(name).__module__], 'checkpoint_filter_fn', None)
    if convert is None:
        return state
    try:
        return dict(convert(dict(state), module))
    except Exception as error:
        # timm reads several layouts, and fails in its own ways on others.
        raise RuntimeError(f'{path} does not fit {name} of timm, as TimmTower was to build it. timm cannot read it: '
                           f'{error!r}.') from error


def _find_file(name: str, source: str) -> str:
    named = find_model(source, folders=True)
    if named is not None:
        return find_weights(source, TOWERS)
    if Path(source).is_file() or '://' in source:
        return source
    tags, tag = _find_tag(name, source)
    if tag is None:
        known = f'tags of {name} are {", ".join(tags)}' if tags else f'{name} has no tags'
        raise ValueError(f'pretrained={source!r} of TimmTower is neither a file nor a tag of timm: {known}.')
    try:
        return hf_hub_download(tag.hf_hub_id, tag.hf_hub_filename or 'model.safetensors')
    except Exception as error:
        # Each way to download fails with its own kind of error.
        raise ConnectionError(
            f'pretrained={source!r} of TimmTower could not be downloaded ({error}). Without a network, give a file: '
            f'model.safetensors of https://huggingface.co/{tag.hf_hub_id}.') from error


def _find_tag(name: str, source: str) -> Tuple[Tuple[str, ...], Any]:
    names = timm.list_pretrained(f'{name}.*')
    tags = tuple(one.partition('.')[2] for one in names)
    config = timm.models.get_pretrained_cfg(f'{name}.{source}') if source in tags else None
    return tags, config if config is not None and config.hf_hub_id else None
