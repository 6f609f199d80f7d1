"""Weights by their own names, out of whatever training frameworks put around them.

::

    dict(model=dict(state_dict={'module._orig_mod.encoder.weight': ...}), optimizer=...)  ─►  {'encoder.weight': ...}

All loaders and converters call :func:`unwrap_weights`. Then :func:`strip_model_prefix` or :func:`strip_layout_prefix`
removes a prefix such as Lightning's ``model.``: only code that knows which names to expect can distinguish it from a
part of the model.
"""

import re
from collections import Counter
from numbers import Number
from typing import Any, Callable, Collection, Dict, List, Mapping, Optional, Sequence, Tuple

from mmengine.logging import print_log
from torch import Tensor

from .kinds import UnreadableCheckpointError, unreadable

# Weights by their names.
State = Dict[str, Tensor]

# Entries that weights stand under, beside which others may be: of MMEngine and Lightning, of many repositories.
_CONTAINERS = ('state_dict', 'model', 'model_state_dict', 'model_state')
# The same, unless there are others: DeepSpeed's and tutorials'. They may as well be one part of a model of several.
_LIKELY = ('module', 'network', 'net', 'weights', 'params')
# Of averaged weights, which are taken where there are no others.
_AVERAGED = ('ema_state_dict', 'state_dict_ema', 'model_ema', 'ema_model', 'ema', 'params_ema', 'averaged_model')
# Modules that wrap others: DDP, DataParallel, DeepSpeed and averages; torch.compile; FSDP and its predecessor;
# activation checkpointing; Lightning Fabric. Each may stand anywhere in a name, since parts are wrapped, too.
_WRAPPER = re.compile(r'(?:^|(?<=\.))(?:module|_orig_mod|_fsdp_wrapped_module|_fpw_module|_checkpoint_wrapped_module|'
                      r'_forward_module)\.')
_FLAT = re.compile(r'(?:^|\.)_?flat_param(?:_\d+)?$')


def find_container(checkpoint: Mapping[str, Any]) -> Mapping[str, Any]:
    """Find the entry of a checkpoint that holds the weights.

    Args:
        checkpoint (Mapping): Its content.

    Returns:
        Mapping: The entry, or the entry of an entry; the checkpoint itself if weights stand there bare, or if several
        entries hold weights and nothing tells which are meant.
    """
    holding = _entries_with_weights(checkpoint)
    if not holding and not _count(checkpoint):
        return _named_container(checkpoint)
    name = _choose_entry(holding)
    return checkpoint if name is None else holding[name]


def _entries_with_weights(checkpoint: Mapping[str, Any]) -> Dict[str, Mapping[str, Any]]:
    """The containers that are found in entries, by the entry's name."""
    containers = {name: find_container(value) for name, value in checkpoint.items() if isinstance(value, Mapping)}
    # Beside weights a score may be a tensor, and beside bare weights there may be tensors of a schedule.
    bare = _count(checkpoint)
    return {name: found for name, found in containers.items() if _count(found) > bare}


def _choose_entry(names: Collection[str]) -> Optional[str]:
    """The entry, of those that hold weights, that is meant; None if nothing tells."""
    usual = [name for name in _CONTAINERS if name in names]
    if usual:
        return usual[0]
    if len(names) == 1:
        return next(iter(names))
    if set(names) - {*_LIKELY, *_AVERAGED}:
        return None
    likely = [name for name in _LIKELY if name in names]
    if likely:
        return likely[0] if len(likely) == 1 else None
    return next((name for name in _AVERAGED if name in names), None)


def _named_container(checkpoint: Mapping[str, Any]) -> Mapping[str, Any]:
    """The entry that should hold weights by its name: whoever reads it says what is there instead."""
    return next((checkpoint[name] for name in _CONTAINERS if isinstance(checkpoint.get(name), Mapping)), checkpoint)


def _count(entry: Mapping[str, Any]) -> int:
    """How many of the values could be tensors: neither plain values nor containers."""
    plain = (Mapping, str, bytes, int, float, list, tuple, type(None))
    return sum(isinstance(key, str) and not isinstance(value, plain) for key, value in entry.items())


def join_entries(checkpoint: Dict[str, Any], joined: Mapping[str, str], path: str) -> None:
    """Move weights that stand in entries of their own to those of the entry that holds the rest of the model.

    Args:
        checkpoint (dict): Its content, which is changed. An entry that it lacks, or beside which no other holds
            weights, changes nothing.
        joined (Mapping[str, str]): The prefix that the keys of each entry get, by the entry's name.
        path (str): What to call it in messages.

    Raises:
        UnreadableCheckpointError: If a weight has the name of another.
    """
    for name, prefix in joined.items():
        rest = {key: value for key, value in checkpoint.items() if key != name}
        container = find_container(rest)
        if not isinstance(checkpoint.get(name), Mapping) or container is rest:
            continue
        weights = {f'{prefix}{key}': value for key, value in find_container(checkpoint.pop(name)).items()}
        twice = [key for key in weights if key in container]
        if twice:
            raise unreadable(path, f'it holds two weights of the name {twice[0]}, one of them in the entry `{name}`')
        container.update(weights)


def unwrap_weights(checkpoint: Mapping[str, Any], path: str, expected: Collection[str] = ()) -> State:
    """Take the weights out of a checkpoint, by names without those of modules that wrapped the model.

    Numbers, text and None that stand beside tensors, such as ``epoch``, are dropped, and the log says which. They are
    an error where they may be weights: by the name of one of the model's, or by one of several parts (``head.scale``).

    Args:
        checkpoint (Mapping): Its content.
        path (str): What to call it in messages.
        expected (Collection[str]): Names of the model's weights, if known. What averages count in a buffer of their
            own (``n_averaged``, ``steps``) is dropped unless the model has it too. Default: ().

    Returns:
        dict[str, Tensor]: The weights.

    Raises:
        UnreadableCheckpointError: If values that may be weights are not tensors, or two weights have one name.
        UnreadableCheckpointError: If FSDP has saved them flattened.
    """
    found = _drop_plain_values(find_container(checkpoint), path, expected)
    flat = [key for key in found if _FLAT.search(key)]
    if flat:
        raise unreadable(
            path, f'FSDP has saved its weights flattened ({flat[0]}). Save them with '
            f'torch.distributed.checkpoint.state_dict.get_model_state_dict and '
            f'StateDictOptions(full_state_dict=True)')
    state: Dict[str, Tensor] = {}
    for key, tensor in found.items():
        name = _WRAPPER.sub('', key)
        if (name == 'steps' or name.rpartition('.')[2] == 'n_averaged') and not tensor.dim() and name not in expected:
            continue
        if name in state:
            raise unreadable(path, f'it holds two weights of the name {name}, one of them as {key}')
        state[name] = tensor.detach()
    return state


def _drop_plain_values(found: Mapping[str, Any], path: str, expected: Collection[str]) -> State:
    """The tensors of a container, once nothing else in it can be a weight."""
    tensors = {key: value for key, value in found.items() if isinstance(key, str) and isinstance(value, Tensor)}
    others = {key: value for key, value in found.items() if key not in tensors}
    strange = [key for key, value in others.items() if not _is_beside(key, value) or key in expected or not tensors]
    if strange:
        raise unreadable(path, f'it holds values that are not tensors: {_enumerate(strange)}')
    if others:
        print_log(f'{path}: dropped {len(others)} values that are not weights: {_enumerate(list(others))}.', 'current')
    return tensors


def _is_beside(key: Any, value: Any) -> bool:
    """Whether a value that is no tensor belongs to the training by its name and kind, and not to the model."""
    return isinstance(key, str) and '.' not in key and isinstance(value, (Number, str, type(None)))


def _enumerate(names: Sequence[Any]) -> str:
    return f'{", ".join(map(str, names[:5]))}{" and others" if len(names) > 5 else ""}'


def strip_model_prefix(state: State, expected: Collection[str], path: str) -> State:
    """Bring weights to the names that a model has, without a prefix such as ``model.`` of a Lightning module.

    Args:
        state (dict[str, Tensor]): Weights, as :func:`unwrap_weights` gives them.
        expected (Collection[str]): The model's names. If the model itself holds wrappers, they keep their names.
        path (str): What to call the file in messages.

    Returns:
        dict[str, Tensor]: The weights; those without the prefix by the names that they had.

    Raises:
        UnreadableCheckpointError: If there are several such prefixes, as of a teacher and a student, or names that
            are the same without the prefix.
    """
    own = {_WRAPPER.sub('', name): name for name in expected}
    fitting: Counter = Counter()
    for key in state:
        fitting.update(prefix for prefix in _prefixes(key) if key[len(prefix):] in own)
    best = [prefix for prefix, count in fitting.items() if count == max(fitting.values())]
    prefix = '' if '' in best or not best else best[0]
    if prefix and len(best) > 1:
        raise _several(path, best)
    named: State = {}
    for key, tensor in state.items():
        name = key.removeprefix(prefix)
        if own.get(name, name) in named:
            raise _several(path, [prefix, 'no prefix'])
        named[own.get(name, name)] = tensor
    return named


def strip_layout_prefix(state: State, path: str, *knows: Callable[[State], bool]) -> Tuple[State, Tuple[str, ...]]:
    """Remove the prefix that stands before the names of a layout.

    Args:
        state (dict[str, Tensor]): Weights, as :func:`unwrap_weights` gives them.
        path (str): What to call the file in messages.
        *knows (Callable): Tests of whether weights are in a known layout, the strictest first: the first test that
            weights behind any prefix pass is the one that counts.

    Returns:
        tuple[dict[str, Tensor], tuple[str]]: The weights behind that prefix without it, and the names of all others.
        If there is no such prefix, all weights and no others.

    Raises:
        UnreadableCheckpointError: If there are several such prefixes, as of a teacher and a student.
    """
    known = next(filter(None, (_known_prefixes(state, test) for test in knows)), [])
    if len(known) > 1:
        raise _several(path, known)
    if not known:
        return state, ()
    return _below(state, known[0]), tuple(key for key in state if not key.startswith(known[0]))


def _known_prefixes(state: State, knows: Callable[[State], bool]) -> List[str]:
    known: List[str] = []
    for prefix in sorted({prefix for key in state for prefix in _prefixes(key)[:3]}, key=lambda one: (len(one), one)):
        # What stands below a known prefix is a part of those weights.
        if not prefix.startswith(tuple(known)) and knows(_below(state, prefix)):
            known.append(prefix)
    return known


def _below(state: State, prefix: str) -> State:
    return {key[len(prefix):]: tensor for key, tensor in state.items() if key.startswith(prefix)}


def _several(path: str, prefixes: Sequence[str]) -> UnreadableCheckpointError:
    return unreadable(path, f'it holds the model {len(prefixes)} times, under {" and ".join(sorted(prefixes))}. Save '
                            f'one of them to a file of its own')


def _prefixes(key: str) -> List[str]:
    """Each part of a name that could be a prefix: '' and 'a.' and 'a.b.' of 'a.b.c'."""
    return ['', *(key[:dot.end()] for dot in re.finditer(r'\.', key))]
