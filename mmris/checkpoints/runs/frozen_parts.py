"""Checkpoints without the frozen parts that ``encoder.pretrained`` fills: excluding and restoring them."""

import hashlib
from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping, Tuple, Union

import torch
from mmengine.logging import print_log
from torch import nn

from mmris.utils import is_part

from ..files import unreadable

# Entry of a checkpoint's meta: the digests of the parts that are not in it, by name.
EXCLUDED_PARTS = 'excluded_parts'
# Where weights lie in a checkpoint of training, and what stands before their names there.
_WEIGHTS = (('state_dict', ''), ('ema_state_dict', 'module.'))
_SHOWN = 5


def find_excludable_parts(model: nn.Module) -> Tuple[str, ...]:
    """Find the parts that a checkpoint can do without: those that are frozen, and filled by ``encoder.pretrained``.

    Args:
        model (nn.Module): The model; one without an encoder or frozen parts has none.

    Returns:
        tuple[str]: Dotted names, as ``'encoder.image'``.
    """
    frozen = getattr(model, 'frozen', ())
    return tuple(name for name in pretrained_parts(model) if is_part(name, frozen))


def digest_parts(model: nn.Module, names: Iterable[str]) -> Dict[str, str]:
    """Compute the SHA-256 of parts: of name, type, shape and bytes of each of their tensors, buffers included.

    Args:
        model (nn.Module): The model.
        names (Iterable[str]): Dotted names of its parts: modules, or single parameters.

    Returns:
        dict[str, str]: Hexadecimal digests by name.
    """
    state = model.state_dict()
    return {name: _digest(_part_state(state, name), name) for name in names}


def exclude_parts(checkpoint: Dict[str, Any], digests: Mapping[str, str]) -> None:
    """Remove parts from a checkpoint, averaged weights included, and write down in its meta which.

    Args:
        checkpoint (dict): What is to be saved, with ``state_dict`` and ``meta``; changed.
        digests (Mapping[str, str]): What :func:`digest_parts` gives for the parts.
    """
    for entry, prefix in _WEIGHTS:
        weights = checkpoint.get(entry, {})
        for key in [key for key in weights if is_part(key.removeprefix(prefix), digests)]:
            del weights[key]
    checkpoint['meta'][EXCLUDED_PARTS] = dict(digests)


def read_excluded_parts(checkpoint: Mapping[str, Any], path: Union[str, Path]) -> Dict[str, str]:
    """Read which parts a checkpoint was saved without.

    Args:
        checkpoint (Mapping): Its content.
        path (str or Path): What to call it in messages.

    Returns:
        dict[str, str]: Their digests by name; empty for a whole checkpoint.

    Raises:
        UnreadableCheckpointError: If the entry is not one that :func:`exclude_parts` makes.
    """
    meta = checkpoint.get('meta')
    digests = meta.get(EXCLUDED_PARTS, {}) if isinstance(meta, Mapping) else {}
    if not isinstance(digests, Mapping) or not all(isinstance(one, str) for pair in digests.items() for one in pair):
        raise unreadable(str(path), f'its {EXCLUDED_PARTS} are not digests by the names of parts')
    return dict(digests)


def restore_excluded_parts(checkpoint: Dict[str, Any], model: nn.Module, path: Union[str, Path]) -> None:
    """Restore the parts that a checkpoint was saved without, from the model that it is to be loaded into.

    If the model does not have those weights yet, ``encoder.load_pretrained`` loads them first.

    Args:
        checkpoint (dict): Its content; changed.
        model (nn.Module): The model itself, not what distributes it.
        path (str or Path): The checkpoint's file, for messages.

    Raises:
        UnreadableCheckpointError: As :func:`read_excluded_parts`.
        RuntimeError: If the model has no such part.
        RuntimeError: If neither the model nor its encoder's ``pretrained`` has the weights that were excluded.
    """
    digests = read_excluded_parts(checkpoint, path)
    known = {*dict(model.named_modules()), *dict(model.named_parameters())}
    unknown = [name for name in digests if name not in known]
    if unknown:
        raise RuntimeError(
            f'{path} says that it was saved without {_enumerate(unknown)}, but the model of the config has no such '
            f'part. Use the config that it was trained with.')
    changed = _find_changed(model, digests)
    if changed and set(changed) <= set(pretrained_parts(model)):
        _load_pretrained(model, changed, path)
        changed = _find_changed(model, digests)
    if changed:
        raise RuntimeError(f'{path} was saved without {_enumerate(changed)}, {_advise(model, changed)}')
    state = model.state_dict()
    for name in digests:
        for key, value in _part_state(state, name).items():
            for entry, prefix in _WEIGHTS:
                if entry in checkpoint:
                    checkpoint[entry].setdefault(f'{prefix}{key}', value)


def check_frozen(model: nn.Module, weights: Mapping[str, Any], path: Union[str, Path]) -> None:
    """Check that a training from a checkpoint gives each frozen weight a value that is not random.

    Args:
        model (nn.Module): The model itself, with the names of its ``frozen`` parts if it has any.
        weights (Mapping[str, Any]): The checkpoint's weights.
        path (str or Path): Its file, for the message.

    Raises:
        RuntimeError: If weights of a frozen part are neither in the checkpoint nor filled by ``encoder.pretrained``.
    """
    lacking = [key for key in find_uninitialized_frozen(model) if key not in weights]
    if lacking:
        parts = [name for name in model.frozen if any(is_part(key, [name]) for key in lacking)]
        more = f' and {len(lacking) - _SHOWN} more' if len(lacking) > _SHOWN else ''
        raise RuntimeError(
            f'{path} lacks {", ".join(lacking[:_SHOWN])}{more} of {_enumerate(parts)}, which the config freezes, so '
            f'that it would stay as it began, at random. Set load_from to a checkpoint of a model that has it, or take '
            f'it out of model.frozen.')


def find_uninitialized_frozen(model: nn.Module) -> List[str]:
    """Find what a model freezes and ``pretrained`` of no stage fills: keys of its weights."""
    names, filled = getattr(model, 'frozen', ()), pretrained_parts(model)
    return [key for key in model.state_dict() if is_part(key, names) and not is_part(key, filled)]


def pretrained_parts(model: nn.Module) -> Tuple[str, ...]:
    """Find what ``pretrained`` of a model's stages fills.

    Args:
        model (nn.Module): The model.

    Returns:
        tuple[str]: Dotted names of modules, parameters and buffers.
    """
    return tuple(f'{stage}.{part}' for stage, module in _pretrained_stages(model) for part in module.pretrained_parts)


def load_pretrained(model: nn.Module) -> None:
    """Load the published weights that the configs of a model's stages name, and raise their errors.

    Args:
        model (nn.Module): The model.
    """
    for _, module in _pretrained_stages(model):
        module.load_pretrained()


def _pretrained_stages(model: nn.Module) -> List[Tuple[str, nn.Module]]:
    stages = ((name, getattr(model, name, None)) for name in ('encoder', 'neck', 'decoder', 'head'))
    return [(name, module) for name, module in stages if hasattr(module, 'pretrained_parts')]


def _part_state(state: Mapping[str, torch.Tensor], name: str) -> Dict[str, torch.Tensor]:
    return {key: value for key, value in state.items() if is_part(key, [name])}


def _digest(state: Mapping[str, torch.Tensor], part: str) -> str:
    digest = hashlib.sha256()
    for key, tensor in sorted(state.items()):
        name = key.removeprefix(f'{part}.')
        digest.update(f'{name} {tensor.dtype} {tuple(tensor.shape)}\n'.encode())
        digest.update(tensor.cpu().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def _find_changed(model: nn.Module, digests: Mapping[str, str]) -> List[str]:
    """The parts that the model has with other weights."""
    own = digest_parts(model, digests)
    return [name for name, digest in digests.items() if own[name] != digest]


def _load_pretrained(model: nn.Module, names: List[str], path: Union[str, Path]) -> None:
    print_log(f'{path} was saved without {_enumerate(names)}: loading what encoder.pretrained names.', logger='current')
    try:
        load_pretrained(model)
    except (OSError, RuntimeError, ValueError) as error:
        raise RuntimeError(
            f'{path} was saved without {_enumerate(names)}, and what model.encoder.pretrained names cannot be loaded '
            f'in place of them: {error}') from error


def _advise(model: nn.Module, names: List[str]) -> str:
    remedy = 'model.encoder.pretrained (--cfg-options model.encoder.pretrained=FILE) to the weights that it was '
    if set(names) <= set(pretrained_parts(model)):
        if not hasattr(model.encoder, 'pretrained'):
            return 'and what pretrained of these parts names holds other weights than those it was trained with. Set ' \
                   'each to the weights that it was trained with.'
        pretrained = model.encoder.pretrained
        return f'and model.encoder.pretrained={pretrained!r} holds other weights than those it was trained with. Set ' \
               f'{remedy}trained with.'
    return f'and the model of the config does not bring them. Set {remedy}trained with.'


def _enumerate(names: Iterable[str]) -> str:
    return ' and '.join(names)
