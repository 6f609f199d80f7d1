"""The steps of one pipeline, out of a config's block ``inputs``.

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

from typing import Any, Dict, List, Mapping

from mmris.utils.type_parameters import check_parameters

PHASES = ('train', 'test')
MAIN = 'main'
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


def build_pipeline(inputs: Mapping[str, Any], phase: str, prefix: str = '', digests: bool = False) -> List[dict]:
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
        digests (bool): Whether samples get digests of their pixels, for a feature cache. Default: False.

    Returns:
        list[dict]: Configs of the steps, in order.

    Raises:
        ValueError: If something in ``inputs`` is unknown or missing.
    """
    check_inputs(inputs)
    steps, changes = _usual_steps(inputs, phase, prefix), dict(inputs.get('steps') or {})
    if digests:
        steps['pack']['digests'] = True
    usual = {*steps, *STEP_TYPES}
    for name, change in changes.items():
        if change is None:
            # Maybe one that a parent config has added.
            steps.pop(name, None)
            continue
        _check_change(name, change, steps, usual)
        if change.get('phase', phase) == phase:
            steps = _change_step(steps, name, change)
    if 'match_instances' not in steps and changes.get('pack') is None:
        steps['pack']['masks'] = [one for one in steps['pack']['masks'] if one != 'instance_iou']
    return _in_order(steps, changes)


def check_inputs(inputs: Mapping[str, Any]) -> None:
    """Check that a block ``inputs`` has all that pipelines need, and nothing unknown beside it.

    Args:
        inputs (Mapping): As :func:`build_pipeline` takes it. Its ``steps`` are checked there, since what they may say
            depends on the steps before them.

    Raises:
        ValueError: If something is unknown or missing.
    """
    unknown = [name for name in inputs if name not in KEYS]
    if unknown:
        raise ValueError(f'inputs has {", ".join(KEYS)}, but got {unknown[0]}.')
    for name in ('tokenizer', 'views'):
        if not isinstance(inputs.get(name), dict) or not inputs[name]:
            raise ValueError(f'inputs lacks {name}, a dict.')
    views = _views(inputs)
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


def _views(inputs: Mapping[str, Any]) -> Dict[str, Any]:
    return {name: view for name, view in inputs['views'].items() if view is not None}


def _usual_steps(inputs: Mapping[str, Any], phase: str, prefix: str) -> Dict[str, dict]:
    views = _views(inputs)
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


def _check_change(name: str, change: Any, steps: Mapping[str, dict], usual: set) -> None:
    """Check the shape of an entry of ``inputs.steps`` that is not None."""
    if not isinstance(change, dict):
        raise ValueError(f'inputs.steps.{name} must be a dict, or None to leave the step out, but is {change!r}.')
    if change.get('phase', PHASES[0]) not in PHASES:
        raise ValueError(f'inputs.steps.{name}.phase must be train or test, but got {change["phase"]!r}.')
    if ('after' in change) != ('type' in change and name not in usual):
        raise ValueError(f'inputs.steps.{name}: a new step, and no other, has a `type` and the name of the step '
                         f'that it stands `after`, one of {", ".join(steps)}.')


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
