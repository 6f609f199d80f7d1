"""The pipelines of a config, which follow from its block ``inputs`` and its protocol.

What stands in ``inputs``, and the steps that are made of it, is in :mod:`.pipeline_steps`.
"""

import copy
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Union

from mmengine.config import Config

from mmris.protocols import Geometry, find_protocol
from mmris.registry import TRANSFORMS

from .pipeline_steps import MAIN, build_pipeline
from .transforms import AffineTransform, PackReferringInputs

LOADERS = dict(train_dataloader='train', val_dataloader='test', test_dataloader='test')
OWN_SCOPE = 'mmris'
# The entry of a resolved config that says what its pipelines were built from: they are no pipelines of its own.
RESOLVED = 'resolved_from'


class DataSet(NamedTuple):
    """The config of a data set, or of what changes one.

    Attributes:
        place (str): Where it stands in the config.
        loader (str): The loader that it belongs to.
        settings (dict): The config itself.
        base (dict, optional): The data set that ``settings`` change: the mix that it is a part of, or the test set that
            it is a split of. None if it stands alone.
    """

    place: str
    loader: str
    settings: dict
    base: Optional[dict] = None

    @property
    def says_masks(self) -> bool:
        """bool: Whether its own settings say what instance masks it has."""
        return 'instance_masks' in self.settings

    def own_masks(self, before: Optional[Mapping[str, Any]]) -> Optional[dict]:
        """What it says of instance masks that is not of ``inputs``; None if it is to have none."""
        settings = self.settings if self.says_masks or self.base is None else self.base
        if 'instance_masks' not in settings:
            return {}
        if settings['instance_masks'] is None:
            return None
        made = (before and before['inputs'].get('instance_masks')) or {}
        return {name: value for name, value in settings['instance_masks'].items() if (name, value) not in made.items()}


def resolve_pipelines(config: Union[Config, dict]) -> None:
    """Give the data sets of a config the pipelines that its ``inputs``, its protocol and its feature cache say.

    Call it when all is merged and before anything is built. Called again, it changes nothing. What a data set says of
    ``instance_masks`` itself goes before ``inputs.instance_masks``: single settings, or None for none. The same holds
    for the parts of a ``MixedDataset``, and for the splits of ``test_cfg.splits``.

    Args:
        config (Config or dict): The config to change.

    Raises:
        ValueError: If ``inputs`` is malformed (see :func:`build_pipeline`).
        ValueError: If a data set has a pipeline of its own beside ``inputs``, or ``model.protocol`` is unknown.
    """
    content = config._cfg_dict if isinstance(config, Config) else config
    said = _what_is_said(content)
    if said['inputs'] is None:
        geometry = find_protocol(said['protocol']).geometry
        for dataset in _datasets(content):
            if dataset.settings.get('pipeline') is not None:
                steps = _with_geometry(dataset.settings['pipeline'], geometry, _prefix(said))
                dataset.settings['pipeline'] = _with_digests(steps) if said['digests'] else steps
        return
    before = content.get(RESOLVED)
    for dataset in _datasets(content):
        own = dataset.own_masks(before)
        pipeline = _pipeline(said, dataset.loader, masked=own is not None)
        _check_pipeline(dataset, pipeline, before)
        if dataset.base is None or dataset.says_masks or 'pipeline' in dataset.settings:
            dataset.settings['pipeline'] = pipeline
        if dataset.base is None or dataset.says_masks:
            _set_masks(dataset.settings, said['inputs'].get('instance_masks'), own)
    content[RESOLVED] = copy.deepcopy(said)


def unresolve_pipelines(config: Config) -> None:
    """Take out of a config what :func:`resolve_pipelines` put in.

    Args:
        config (Config): The config to change.
    """
    content = config._cfg_dict
    before = content.pop(RESOLVED, None)
    if before is not None:
        for dataset in _datasets(content):
            own = dataset.own_masks(before)
            if dataset.settings.get('pipeline') == _pipeline(before, dataset.loader, masked=own is not None):
                del dataset.settings['pipeline']
            if dataset.base is None or dataset.says_masks:
                _set_masks(dataset.settings, None, own)


def find_tokenizer(config: Config) -> Dict[str, Any]:
    """The config of the tokenizer in the test pipeline of a resolved config; empty if there is none."""
    steps = config.test_dataloader.dataset.pipeline
    return next((dict(step['tokenizer']) for step in steps if 'tokenizer' in step), {})


def is_geometry(step: dict) -> bool:
    """Whether a step of a pipeline makes an input out of an image: an :class:`AffineTransform`.

    Args:
        step (dict): Its config.
    """
    kind = _kind(step)
    return isinstance(kind, type) and issubclass(kind, AffineTransform)


def _kind(step: Mapping[str, Any]) -> Any:
    return TRANSFORMS.get(step['type']) if isinstance(step['type'], str) else step['type']


def _check_pipeline(dataset: DataSet, pipeline: List[dict], before: Optional[Mapping[str, Any]]) -> None:
    """Check that a data set has no pipeline but the one that it gets, or one that it got when last resolved."""
    made = [] if before is None else [_pipeline(before, dataset.loader, masked) for masked in (True, False)]
    if 'pipeline' in dataset.settings and dataset.settings['pipeline'] not in (pipeline, *made):
        raise ValueError(
            f'{dataset.place}.pipeline is not what inputs says, so that one of the two would have no effect. Change '
            f'inputs instead (inputs.views.main.size=..., inputs.steps.NAME.ARGUMENT=...), or set inputs=None.')


def _set_masks(dataset: dict, masks: Optional[Mapping[str, Any]], own: Optional[dict]) -> None:
    if own is None:
        dataset['instance_masks'] = None
    elif masks is not None or own:
        dataset['instance_masks'] = {**(masks or {}), **own}
    else:
        dataset.pop('instance_masks', None)


def _what_is_said(content: Mapping[str, Any]) -> Dict[str, Any]:
    """All that pipelines follow from."""
    model = content.get('model') or {}
    return dict(
        inputs=content.get('inputs'),
        protocol=model.get('protocol', 'mmris'),
        digests=model.get('feature_cache') is not None,
        scope=content.get('default_scope'))


def _prefix(said: Mapping[str, Any]) -> str:
    """What stands before the types of our own steps. A config that names no scope is not of ours."""
    return '' if said['scope'] == OWN_SCOPE else f'{OWN_SCOPE}.'


def _pipeline(said: Mapping[str, Any], loader: str, masked: bool = True) -> List[dict]:
    """The pipeline of a loader; without instance masks if a data set is to have none."""
    inputs = said['inputs'] if masked else dict(said['inputs'], instance_masks=None)
    steps = build_pipeline(inputs, LOADERS[loader], prefix=_prefix(said), digests=said['digests'])
    return _with_geometry(steps, find_protocol(said['protocol']).geometry, _prefix(said))


def _with_geometry(steps: List[dict], geometry: Optional[Geometry], prefix: str) -> List[dict]:
    """The steps with a protocol's geometry, if it has one, in place of that of the main view."""
    if geometry is None:
        return steps
    return [
        dict(type=prefix + geometry.step, size=step['size'])
        if is_geometry(step) and step.get('view', MAIN) == MAIN and _kind(step).__name__ != geometry.step else step
        for step in steps
    ]


def _with_digests(steps: List[dict]) -> List[dict]:
    """The steps, of which packing also computes digests of pixels, for a feature cache."""
    return [dict(step, digests=True) if _kind(step) is PackReferringInputs else step for step in steps]


def _datasets(content: Mapping[str, Any]) -> Iterator[DataSet]:
    """The data sets of all loaders, also those that others repeat, join or mix; what changes one comes before it."""
    test_set = (content.get('test_dataloader') or {}).get('dataset')
    if isinstance(test_set, dict):
        yield from _changes(
            (content.get('test_cfg') or {}).get('splits'), 'test_cfg.splits', 'test_dataloader', test_set)
    for loader in LOADERS:
        place = f'{loader}.dataset'
        found = [(content.get(loader) or {}).get('dataset')]
        while found:
            dataset = found.pop()
            if not isinstance(dataset, dict):
                continue
            inner = dataset.get('datasets')
            if 'dataset' in dataset or isinstance(inner, list):
                found += [dataset.get('dataset'), *(inner or [])]
            else:
                yield from _changes(inner, f'{place}.datasets', loader, dataset)
                yield DataSet(place, loader, dataset)


def _changes(members: Any, place: str, loader: str, base: dict) -> Iterator[DataSet]:
    """What changes a data set: dicts by name, or None for one that a config takes back."""
    for name, settings in (members if isinstance(members, dict) else {}).items():
        if isinstance(settings, dict):
            yield DataSet(f'{place}.{name}', loader, settings, base)
