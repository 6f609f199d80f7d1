"""Keys that a command line sets in a config: whether anything reads them."""

import re
from difflib import get_close_matches
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.runner import EpochBasedTrainLoop, LogProcessor, Runner, TestLoop, ValLoop
from mmengine.visualization import Visualizer
from torch.nn.utils import clip_grad_norm_
from torch.utils.data import DataLoader

from .text import shorten
from .type_parameters import parameters_of, parameters_of_type, show_type

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
    'inputs': (None, ('instance_masks', 'steps', 'tokenizer', 'views')),
    'model.data_preprocessor.masking': (None, ('image', 'view', 'words')),
    'model.feature_cache': (None, ('dtype', 'folder', 'max_gigabytes')),
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
_NAMED = ('default_hooks', 'inputs.steps', 'inputs.views', 'model.auxiliary_losses',
          'model.data_preprocessor.views', 'model.distillation', 'model.losses', 'test_cfg.splits')
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
    if where.startswith('inputs.steps.'):
        # Whoever makes pipelines of them knows what a step takes whose type is not said.
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
        accepted |= parameters_of(reader) or set()
    accepted |= _READ_BY_ENDING.get(where.rpartition('.')[2], set())
    if name in accepted:
        return
    known = [*there, *sorted(accepted - set(there) - set(_ALWAYS))]
    nearest = get_close_matches(name, known, n=1, cutoff=0.5)
    place = f'{where} ({show_type(kind)})' if kind is not None else where or 'the config'
    full = f'{where}.{nearest[0]}' if nearest and where else ''.join(nearest[:1])
    listed = f'{", ".join(known[:12])}{", ..." if len(known) > 12 else ""}'
    advice = f'Did you mean {full}?' if nearest else f'It has {listed}.'
    raise ValueError(f'The option {key} would have no effect: {place} has no {name}. {advice} To set it all the same, '
                     f'write {FORCE}{key}=...')
