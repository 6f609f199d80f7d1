"""Keys that a command line sets in a config: whether anything reads them."""

import inspect
import re
from difflib import get_close_matches
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Set, Tuple

from mmengine import registry as root
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.registry import Registry
from mmengine.runner import EpochBasedTrainLoop, LogProcessor, Runner, TestLoop, ValLoop
from mmengine.visualization import Visualizer
from torch.nn import Module
from torch.nn.utils import clip_grad_norm_
from torch.utils.data import DataLoader

from mmris import registry as ours

from .text import shorten

# Before a key: set it, whoever reads it.
FORCE = '+'

# What is read of parts of a config that have no type, or beside what their type takes.
_LOADER = (DataLoader, ('dataset', 'sampler', 'batch_sampler', 'collate_fn', 'num_batch_per_epoch'))
_READ_WITHOUT_TYPE: Dict[str, Tuple[Optional[Callable], Sequence[str]]] = {
    '': (Runner, ('compile', 'custom_imports', 'find_unused_parameters', 'model_wrapper_cfg', 'runner_type', 'sync_bn',
                  'vis_backends')),
    'train_dataloader': _LOADER,
    'val_dataloader': _LOADER,
    'test_dataloader': _LOADER,
    'train_cfg': (EpochBasedTrainLoop, ('by_epoch', )),
    'val_cfg': (ValLoop, ()),
    'test_cfg': (TestLoop, ()),
    'optim_wrapper': (OptimWrapper, ('constructor', 'paramwise_cfg')),
    'optim_wrapper.clip_grad': (clip_grad_norm_, ('type', )),
    'optim_wrapper.paramwise_cfg': (None, ('base_total_batch_size', 'bias_decay_mult', 'bias_lr_mult',
                                           'bypass_duplicate', 'custom_keys', 'flat_decay_mult', 'norm_decay_mult')),
    'param_scheduler': (None, ('convert_to_iter_based', )),
    'param_scheduler.*': (None, ('convert_to_iter_based', )),
    'auto_scale_lr': (None, ('base_batch_size', 'enable')),
    'randomness': (Runner.set_randomness, ()),
    'env_cfg': (None, ('cudnn_benchmark', 'dist_cfg', 'mp_cfg', 'resource_limit')),
    'env_cfg.dist_cfg': (None, ('backend', 'timeout')),
    'env_cfg.mp_cfg': (None, ('mp_start_method', 'opencv_num_threads')),
    'log_processor': (LogProcessor, ()),
    'visualizer': (Visualizer, ()),
}
# Parts that hold others by names of one's choice.
_NAMED = ('default_hooks', 'model.auxiliary_losses', 'model.distillation', 'model.losses', 'test_cfg.splits')
_NAMED_ENDINGS = ('.custom_keys', '.datasets', '.exclude')
# What is read of parts of a name, wherever they are.
_READ_BY_ENDING = dict(
    init_cfg={'layer', 'override'}, instance_masks={'file', 'max_instances', 'min_score', 'problems'})
# Of every dict in a config.
_ALWAYS = ('type', '_delete_', '_scope_')


def merge_options(config: Config, options: Mapping[str, Any]) -> None:
    """Change values of a config, by keys that are known or forced.

    Args:
        config (Config): The config to change.
        options (dict): New values by dotted key, such as ``'train_dataloader.batch_size'``. A key that begins with
            ``+`` is set whether or not anything reads it.

    Raises:
        ValueError: If a key is neither in the config nor taken by what the ``type`` beside it names; the message has
            the nearest one that is.
    """
    # What takes the place of a whole part is not one of its keys.
    replaced = tuple(key.removesuffix('_delete_') for key in options if key.endswith('._delete_'))
    wanted: Dict[str, Any] = {}
    for key, value in options.items():
        forced = key.startswith(FORCE)
        key = key[len(FORCE):] if forced else key
        if not forced and not key.startswith(replaced):
            check_key(config, key)
        wanted[key] = value
    config.merge_from_dict(wanted)


def check_key(config: Config, key: str) -> None:
    """Check that a config has a key, or something reads it.

    Args:
        config (Config): The config.
        key (str): Such as ``'model.head.channels'``; entries of lists by number.

    Raises:
        ValueError: If neither is so.
    """
    value: Any = config.to_dict()
    done: List[str] = []
    for name in key.split('.'):
        where = '.'.join(done)
        if isinstance(value, Mapping):
            if name not in value:
                _check_name(name, value, where, key)
                return
            value = value[name]
        elif isinstance(value, (list, tuple)):
            if not name.isdecimal() or int(name) >= len(value):
                raise ValueError(f'The option {key} asks for entry {name} of {where}, which is a list with the entries '
                                 f'0 to {len(value) - 1}.')
            value = value[int(name)]
        elif value is None:
            return
        else:
            raise ValueError(f'The option {key} sets a part of {where}, which is {shorten(value)} and has no parts.')
        done.append(name)


def _check_name(name: str, there: Mapping[str, Any], where: str, key: str) -> None:
    if where in _NAMED or where.endswith(_NAMED_ENDINGS):
        return
    kind = there.get('type')
    if kind is None and where.rpartition('.')[0].endswith(('.splits', '.datasets')):
        kind = 'RefCOCODataset'
    reader, more = _READ_WITHOUT_TYPE.get(re.sub(r'\.[0-9]+', '.*', where), (None, ()))
    accepted = {*_ALWAYS, *more}
    if kind is not None:
        parameters = parameters_of_type(kind)
        if parameters is None:
            return
        accepted |= parameters
    elif reader is not None:
        accepted |= _parameters(reader) or set()
    accepted |= _READ_BY_ENDING.get(where.rpartition('.')[2], set())
    if name in accepted:
        return
    known = [*there, *sorted(accepted - set(there) - set(_ALWAYS))]
    nearest = get_close_matches(name, known, n=1, cutoff=0.5)
    place = f'{where} ({_show(kind)})' if kind is not None else where or 'the config'
    full = f'{where}.{nearest[0]}' if nearest and where else ''.join(nearest[:1])
    listed = f'{", ".join(known[:12])}{", ..." if len(known) > 12 else ""}'
    advice = f'Did you mean {full}?' if nearest else f'It has {listed}.'
    raise ValueError(f'The option {key} would have no effect: {place} has no {name}. {advice} To set it all the same, '
                     f'write {FORCE}{key}=...')


def parameters_of_type(kind: Any) -> Optional[Set[str]]:
    """Find what a ``type`` of a config takes.

    Args:
        kind (str, type or Callable): The type, or its name in the registries.

    Returns:
        set[str], optional: The names of its parameters, of all types of that name. None if that cannot be known.
    """
    readers = [kind] if callable(kind) else [one for registry in _registries() if (one := registry.get(kind))]
    found: Set[str] = set()
    for reader in readers:
        parameters = _parameters(reader)
        if parameters is None:
            return None
        found |= parameters
    return found if readers else None


def _registries() -> List[Registry]:
    """Ours, which ask MMEngine's for what they lack, and those of which we have none."""
    own = [one for one in vars(ours).values() if isinstance(one, Registry)]
    parents = {id(one.parent) for one in own}
    others = [one for one in vars(root).values() if isinstance(one, Registry) and id(one) not in parents]
    return [*own, *others]


def _parameters(reader: Callable) -> Optional[Set[str]]:
    """Names of what a class or function takes; None if it takes any."""
    if not inspect.isclass(reader):
        names, takes_any = _names(reader)
        return None if takes_any else names
    found: Set[str] = set()
    for kind in reader.__mro__:
        # These two only say that they take nothing.
        if '__init__' in vars(kind) and kind not in (object, Module):
            names, takes_any = _names(kind.__init__)
            found |= names
            if not takes_any:
                return found - {'self'}
            # What it takes in addition goes on: to what it makes of it, or to the class that it is derived from.
            if hasattr(kind, 'passes_on_to'):
                return found | (parameters_of_type(kind.passes_on_to) or set()) - {'self'}
    return found - {'self'}


def _names(function: Callable) -> Tuple[Set[str], bool]:
    """The names of what a function takes, and whether it takes others."""
    parameters = inspect.signature(function).parameters.values()
    names = {one.name for one in parameters if one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)}
    return names, any(one.kind is one.VAR_KEYWORD for one in parameters)


def _show(kind: Any) -> str:
    return kind if isinstance(kind, str) else kind.__name__
