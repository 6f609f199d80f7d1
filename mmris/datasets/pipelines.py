"""Pipelines out of a config's block ``inputs``.

::

    inputs = dict(
        tokenizer=dict(type='CLIPTokenizer', context_length=17),
        views=dict(main=dict(type='Letterbox', size=416)),
        instance_masks=dict(file='masks.json'),                              # of methods that take them in
        steps=dict(load_image=dict(upright=True)))                           # what else is to differ

    training:   load_image, load_masks, load_instance_masks, match_instances, other views, main, tokenize, pack
    evaluation: load_image, load_instance_masks, other views, main, load_masks, tokenize, pack

Masks that predictions are scored against are loaded after the geometry, since they stay on the original pixels.
"""

import copy
from typing import Any, Dict, Iterator, List, Mapping, Optional, Union

from mmengine.config import Config

from mmris.protocols import Geometry, find_protocol
from mmris.registry import TRANSFORMS
from mmris.utils import type_name
from mmris.utils.type_parameters import check_parameters

from .transforms import AffineTransform

LOADERS = dict(train_dataloader='train', val_dataloader='test', test_dataloader='test')
PHASES = ('train', 'test')
MAIN = 'main'
OWN_SCOPE = 'mmris'
# The entry of a resolved config that says what its pipelines were built from: they are no pipelines of its own.
RESOLVED = 'resolved_from'
# What inputs may have.
KEYS = ('tokenizer', 'views', 'instance_masks', 'steps')
# Beside a step's own arguments, in inputs.steps.
STEP_KEYS = ('after', 'phase')
# Steps that stand in every pipeline, or in those with instance masks, by name.
STEP_TYPES = dict(
    load_image='LoadImage',
    load_masks='LoadMasks',
    load_instance_masks='LoadInstanceMasks',
    match_instances='MatchInstances',
    tokenize='Tokenize',
    pack='PackReferringInputs')


def resolve_pipelines(config: Union[Config, dict]) -> None:
    """Give the data sets of a config the pipelines that its ``inputs`` and its protocol say.

    Call it when all is merged and before anything is built. Called again, it changes nothing. What a data set says of
    ``instance_masks`` itself goes before ``inputs.instance_masks``: single settings, or None for none.

    Args:
        config (Config or dict): The config to change.

    Raises:
        ValueError: If ``inputs`` is malformed (see :func:`build_pipeline`).
        ValueError: If a data set has a pipeline of its own beside ``inputs``, or ``model.protocol`` is unknown.
    """
    content = config._cfg_dict if isinstance(config, Config) else config
    said = _what_is_said(content)
    geometry = find_protocol(said['protocol']).geometry
    if said['inputs'] is None:
        for _, dataset in _datasets(content):
            if dataset.get('pipeline') is not None:
                dataset['pipeline'] = _with_geometry(dataset['pipeline'], geometry)
        return
    before = content.get(RESOLVED)
    for loader, dataset in _datasets(content):
        made = [] if before is None else [_pipeline(before, loader), _pipeline(before, loader, masked=False)]
        own = _own_masks(dataset, before)
        pipeline = _pipeline(said, loader, masked=own is not None)
        if 'pipeline' in dataset and dataset['pipeline'] not in (pipeline, *made):
            raise ValueError(
                f'{loader}.dataset.pipeline is not what inputs says, so that one of the two would have no effect. '
                f'Change inputs instead (inputs.views.main.size=..., inputs.steps.NAME.ARGUMENT=...), or set '
                f'inputs=None.')
        dataset['pipeline'] = pipeline
        _set_masks(dataset, said['inputs'].get('instance_masks'), own)
    content[RESOLVED] = copy.deepcopy(said)


def unresolve_pipelines(config: Config) -> None:
    """Take out of a config what :func:`resolve_pipelines` put in.

    Args:
        config (Config): The config to change.
    """
    content = config._cfg_dict
    before = content.pop(RESOLVED, None)
    if before is not None:
        for loader, dataset in _datasets(content):
            own = _own_masks(dataset, before)
            if dataset.get('pipeline') == _pipeline(before, loader, masked=own is not None):
                del dataset['pipeline']
            _set_masks(dataset, None, own)


def _own_masks(dataset: Mapping[str, Any], before: Optional[Mapping[str, Any]]) -> Optional[dict]:
    """What a data set says of instance masks that is not of ``inputs``; None if it is to have none."""
    if 'instance_masks' not in dataset:
        return {}
    if dataset['instance_masks'] is None:
        return None
    made = (before and before['inputs'].get('instance_masks')) or {}
    return {name: value for name, value in dataset['instance_masks'].items() if (name, value) not in made.items()}


def _set_masks(dataset: dict, masks: Optional[Mapping[str, Any]], own: Optional[dict]) -> None:
    if own is None:
        dataset['instance_masks'] = None
    elif masks is not None or own:
        dataset['instance_masks'] = {**(masks or {}), **own}
    else:
        dataset.pop('instance_masks', None)


def _what_is_said(content: Mapping[str, Any]) -> Dict[str, Any]:
    """All that pipelines follow from."""
    return dict(
        inputs=content.get('inputs'),
        protocol=(content.get('model') or {}).get('protocol', 'mmris'),
        scope=content.get('default_scope') or OWN_SCOPE)


def _pipeline(said: Mapping[str, Any], loader: str, masked: bool = True) -> List[dict]:
    """The pipeline of a loader; without instance masks if a data set is to have none."""
    prefix = '' if said['scope'] == OWN_SCOPE else f'{OWN_SCOPE}.'
    inputs = said['inputs'] if masked else dict(said['inputs'], instance_masks=None)
    steps = build_pipeline(inputs, LOADERS[loader], prefix=prefix)
    return _with_geometry(steps, find_protocol(said['protocol']).geometry, prefix)


def build_pipeline(inputs: Mapping[str, Any], phase: str, prefix: str = '') -> List[dict]:
    """List the steps of a pipeline.

    Args:
        inputs (Mapping): ``tokenizer``, the config of a tokenizer; ``views``, by name the configs of the steps that
            make an input out of an image, one of them ``main``; ``instance_masks``, as of the data set, None for
            methods without; ``steps``, by name what is to differ: arguments of a step that is there, None to leave it
            out, or a new step with its ``type`` and the name of the step that it stands ``after``. ``phase`` in one of
            these (``'train'`` or ``'test'``) keeps it out of the other.
        phase (str): ``'train'`` or ``'test'``, which is also that of validation and of the ``Predictor``.
        prefix (str): What stands before the types of steps that every pipeline has, ``'mmris.'`` in a config of
            another scope. Default: ''.

    Returns:
        list[dict]: Configs of the steps, in order.

    Raises:
        ValueError: If something in ``inputs`` is unknown or missing.
    """
    unknown = [name for name in inputs if name not in KEYS]
    if unknown:
        raise ValueError(f'inputs has {", ".join(KEYS)}, but got {unknown[0]}.')
    steps, changes = _usual_steps(inputs, phase, prefix), dict(inputs.get('steps') or {})
    usual = set(steps)
    for name, change in changes.items():
        if change is None:
            # Maybe one that a parent config has added.
            steps.pop(name, None)
        elif not isinstance(change, dict):
            raise ValueError(f'inputs.steps.{name} must be a dict, or None to leave the step out, but is {change!r}.')
        elif change.get('phase', phase) not in PHASES:
            raise ValueError(f'inputs.steps.{name}.phase must be train or test, but got {change["phase"]!r}.')
        elif ('after' in change) != ('type' in change and name not in usual and name not in STEP_TYPES):
            raise ValueError(f'inputs.steps.{name}: a new step, and no other, has a `type` and the name of the step '
                             f'that it stands `after`, one of {", ".join(steps)}.')
        elif change.get('phase', phase) == phase:
            steps = _change_step(steps, name, change)
    if 'match_instances' not in steps and changes.get('pack') is None:
        steps['pack']['masks'] = [one for one in steps['pack']['masks'] if one != 'instance_iou']
    return _in_order(steps, changes)


def is_geometry(step: dict) -> bool:
    """Whether a step of a pipeline makes an input out of an image: an :class:`AffineTransform`.

    Args:
        step (dict): Its config.
    """
    kind = step['type']
    kind = TRANSFORMS.get(kind) if isinstance(kind, str) else kind
    return isinstance(kind, type) and issubclass(kind, AffineTransform)


def _usual_steps(inputs: Mapping[str, Any], phase: str, prefix: str) -> Dict[str, dict]:
    for name in ('tokenizer', 'views'):
        if not isinstance(inputs.get(name), dict) or not inputs[name]:
            raise ValueError(f'inputs lacks {name}, a dict.')
    views = {name: view for name, view in inputs['views'].items() if view is not None}
    for name, view in views.items():
        if not isinstance(view, dict) or not view.get('type') or view.get('size') is None:
            raise ValueError(f'inputs.views.{name} must be a dict with the type of a step, such as Letterbox, and its '
                             f'size, but is {view!r}.')
    if MAIN not in views:
        raise ValueError(f'inputs.views has {", ".join(views) or "nothing"}, but needs {MAIN}, the view whose grid '
                         f'predictions have.')
    taken = [name for name in views if name in STEP_TYPES]
    if taken:
        raise ValueError(f'{taken[0]} cannot be the name of a view, since a step of every pipeline has it.')
    # The main view last: it replaces the stored pixels that the others are made of.
    geometry = {name: dict(view, view=name) for name, view in views.items() if name != MAIN}
    geometry[MAIN] = dict(views[MAIN])
    training, masked = phase == 'train', inputs.get('instance_masks') is not None
    truths = ['gt_input', *(['instance_iou'] if masked else [])] if training else ['gt_original']
    steps = dict(load_image={}, **(dict(load_masks={}) if training else {}))
    if masked:
        steps.update(load_instance_masks={}, **(dict(match_instances={}) if training else {}))
    steps.update(geometry)
    if not training:
        steps.update(load_masks={})
    steps.update(tokenize=dict(tokenizer=dict(inputs['tokenizer'])), pack=dict(masks=truths))
    return {
        name: dict(type=prefix + STEP_TYPES[name], **step) if name in STEP_TYPES else step
        for name, step in steps.items()
    }


def _change_step(steps: Dict[str, dict], name: str, change: Mapping[str, Any]) -> Dict[str, dict]:
    """The steps with one changed, or a new one among them."""
    change = {key: value for key, value in change.items() if key not in STEP_KEYS}
    if name in steps:
        step = {**steps[name], **change}
        check_parameters(step, f'inputs.steps.{name}')
        return {**steps, name: step}
    if 'type' not in change:
        # A usual step that this pipeline has not, or none at all.
        _check_known(name, steps)
        return steps
    check_parameters(change, f'inputs.steps.{name}')
    return {**steps, name: change}


def _in_order(steps: Dict[str, dict], changes: Mapping[str, Any]) -> List[dict]:
    """The steps; new ones that follow the same stand in their own order, each with those that follow it."""
    after = {name: (changes.get(name) or {}).get('after') for name in steps}
    for name, place in after.items():
        if place is not None and place not in steps:
            raise ValueError(f'inputs.steps.{name} stands after {place!r}, but must stand after one of '
                             f'{", ".join(one for one in steps if one != name)}.')
    ordered: List[dict] = []

    def add(name: str) -> None:
        ordered.append(steps[name])
        for follower in after:
            if after[follower] == name:
                add(follower)

    for name, place in after.items():
        if place is None:
            add(name)
    if len(ordered) < len(steps):
        raise ValueError('New steps of inputs.steps stand after one another in a circle: '
                         f'{", ".join(name for name in after if after[name] is not None)}.')
    return ordered


def _check_known(name: str, steps: Mapping[str, dict]) -> None:
    if name not in STEP_TYPES:
        raise ValueError(f'inputs.steps.{name} has no type, and there is no step of that name to change or leave out, '
                         f'but {", ".join(steps)}. A new step has a type, and the name of the step before it as after.')


def _with_geometry(steps: List[dict], geometry: Optional[Geometry], prefix: str = '') -> List[dict]:
    """The steps with a protocol's geometry, if it has one, in place of that of the main view."""
    if geometry is None:
        return steps
    return [
        dict(type=prefix + geometry.step, size=step['size'])
        if is_geometry(step) and step.get('view', MAIN) == MAIN and type_name(step) != geometry.step else step
        for step in steps
    ]


def _datasets(content: Mapping[str, Any]) -> Iterator[tuple]:
    """The name of a loader, and a data set of it, also one inside of others that repeat or join."""
    for loader in LOADERS:
        found = [(content.get(loader) or {}).get('dataset')]
        while found:
            dataset = found.pop()
            if not isinstance(dataset, dict):
                continue
            inner = dataset.get('datasets')
            if 'dataset' in dataset or isinstance(inner, list):
                found += [dataset.get('dataset'), *(inner or [])]
            else:
                yield loader, dataset
