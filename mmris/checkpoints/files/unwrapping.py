"""Weights by their own names, out of whatever training frameworks put around them.

::

    dict(model=dict(state_dict={'module._orig_mod.encoder.weight': ...}), optimizer=...)  ─►  {'encoder.weight': ...}

All loaders and converters call :func:`unwrap_weights`. Then :func:`strip_model_prefix` or :func:`strip_layout_prefix`
removes a prefix such as Lightning's ``model.``: only code that knows which names to expect can distinguish it from a
part of the model.
"""

import re
from collections import Counter
from typing import Any, Callable, Collection, Dict, List, Mapping, Tuple

from torch import Tensor

from .kinds import unreadable

# Weights by their names.
State = Dict[str, Tensor]

# Entries that weights stand under: of MMEngine and Lightning, of many repositories, of DeepSpeed and of tutorials.
_CONTAINERS = ('state_dict', 'model', 'module', 'model_state_dict', 'model_state', 'network', 'net', 'weights',
               'params')
# Of averaged weights, which are taken where there are no others.
_AVERAGED = ('ema_state_dict', 'state_dict_ema', 'model_ema', 'ema_model', 'ema', 'params_ema', 'averaged_model')
# Modules that wrap others: DDP, DataParallel, DeepSpeed and averages; torch.compile; FSDP and its predecessor;
# activation checkpointing; Lightning Fabric. Each may stand anywhere in a name, since parts are wrapped, too.
_WRAPPER = re.compile(r'(?:^|(?<=\.))(?:module|_orig_mod|_fsdp_wrapped_module|_fpw_module|_checkpoint_wrapped_module|'
                      r'_forward_module)\.')
# What averages count in a buffer of their own: PyTorch's and MMEngine's.
_COUNTERS = ('n_averaged', 'steps')
_FLAT = re.compile(r'(?:^|\.)_?flat_param(?:_\d+)?$')


def find_container(checkpoint: Mapping[str, Any]) -> Mapping[str, Any]:
    """Find the entry of a checkpoint that holds the weights.

    Args:
        checkpoint (Mapping): Its content.

    Returns:
        Mapping: The entry, or the entry of an entry; the checkpoint itself if weights stand there bare.
    """
    for names in (_CONTAINERS, _AVERAGED):
        for name in names:
            if isinstance(checkpoint.get(name), Mapping):
                return find_container(checkpoint[name])
    return checkpoint


def unwrap_weights(checkpoint: Mapping[str, Any], path: str) -> State:
    """Take the weights out of a checkpoint, by names without those of modules that wrapped the model.

    Args:
        checkpoint (Mapping): Its content.
        path (str): What to call it in messages.

    Returns:
        dict[str, Tensor]: The weights.

    Raises:
        UnreadableCheckpointError: If values among the weights are not tensors, or two have one name.
        UnreadableCheckpointError: If FSDP has saved them flattened.
    """
    found = find_container(checkpoint)
    strange = [str(key) for key, value in found.items() if not (isinstance(key, str) and isinstance(value, Tensor))]
    if strange:
        shown = f'{", ".join(strange[:5])}{" and others" if len(strange) > 5 else ""}'
        raise unreadable(path, f'it holds values that are not tensors: {shown}')
    flat = [key for key in found if _FLAT.search(key)]
    if flat:
        raise unreadable(
            path, f'FSDP has saved its weights flattened ({flat[0]}). Save them with '
            f'torch.distributed.checkpoint.state_dict.get_model_state_dict and '
            f'StateDictOptions(full_state_dict=True)')
    state: Dict[str, Tensor] = {}
    for key, tensor in found.items():
        name = _WRAPPER.sub('', key)
        if name in _COUNTERS and not tensor.dim():
            continue
        if name in state:
            raise unreadable(path, f'it holds two weights of the name {name}, one of them as {key}')
        state[name] = tensor.detach()
    return state


def strip_model_prefix(state: State, expected: Collection[str], path: str) -> State:
    """Remove the prefix that stands before the names which a model has, such as ``model.`` of a Lightning module.

    Args:
        state (dict[str, Tensor]): Weights, as :func:`unwrap_weights` gives them.
        expected (Collection[str]): The model's names.
        path (str): What to call the file in messages.

    Returns:
        dict[str, Tensor]: The weights; those without the prefix by the names that they had.

    Raises:
        UnreadableCheckpointError: If there are several such prefixes, as of a teacher and a student.
    """
    fitting: Counter = Counter()
    for key in state:
        fitting.update(prefix for prefix in _prefixes(key) if key[len(prefix):] in expected)
    best = [prefix for prefix, count in fitting.items() if count == max(fitting.values())]
    if not best or '' in best:
        return state
    if len(best) > 1:
        raise unreadable(path, f'it holds the model {len(best)} times, under {" and ".join(sorted(best))}. Save one '
                               f'of them to a file of its own')
    return {key.removeprefix(best[0]): tensor for key, tensor in state.items()}


def strip_layout_prefix(state: State, knows: Callable[[State], bool]) -> Tuple[State, Tuple[str, ...]]:
    """Remove the prefix that stands before the names of a layout.

    Args:
        state (dict[str, Tensor]): Weights, as :func:`unwrap_weights` gives them.
        knows (Callable): Whether weights are in a known layout.

    Returns:
        tuple[dict[str, Tensor], tuple[str]]: The weights below the shortest such prefix, and the names of the others.
        All weights and no others if there is no such prefix.
    """
    prefixes: List[str] = sorted({prefix for key in state for prefix in _prefixes(key)[:3]}, key=len)
    for prefix in prefixes:
        below = {key[len(prefix):]: tensor for key, tensor in state.items() if key.startswith(prefix)}
        if knows(below):
            return below, tuple(key for key in state if not key.startswith(prefix))
    return state, ()


def _prefixes(key: str) -> List[str]:
    """Each part of a name that could be a prefix: '' and 'a.' and 'a.b.' of 'a.b.c'."""
    return ['', *(key[:dot.end()] for dot in re.finditer(r'\.', key))]
