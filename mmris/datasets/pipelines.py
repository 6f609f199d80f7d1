"""What a config says of its inputs, put into its pipelines."""

from typing import Any, Iterator, List, Union

from mmengine.config import Config

from mmris.protocols import find_protocol
from mmris.registry import TRANSFORMS
from mmris.utils import type_name

from .transforms import AffineTransform


def settle_pipelines(config: Union[Config, dict]) -> None:
    """Let the pipelines of a config take images in by the geometry of its protocol, if that has one.

    To be called when all is merged and before anything is built. Called again, it changes nothing.

    Args:
        config (Config or dict): The config to change.

    Raises:
        ValueError: If ``model.protocol`` is the name of none.
    """
    geometry = find_protocol((config.get('model') or {}).get('protocol', 'mmris')).geometry
    if geometry is None:
        return
    for steps in _pipelines(config._cfg_dict if isinstance(config, Config) else config):
        for position, step in enumerate(steps):
            if is_geometry(step) and type_name(step) != geometry.step:
                steps[position] = dict(type=geometry.step, size=step['size'])


def is_geometry(step: dict) -> bool:
    """Whether a step of a pipeline makes an input out of an image: an :class:`AffineTransform`.

    Args:
        step (dict): Its config.
    """
    kind = step['type']
    kind = TRANSFORMS.get(kind) if isinstance(kind, str) else kind
    return isinstance(kind, type) and issubclass(kind, AffineTransform)


def _pipelines(part: Any) -> Iterator[List[dict]]:
    """All lists of steps in a part of a config."""
    if isinstance(part, dict):
        for value in part.values():
            yield from _pipelines(value)
    elif isinstance(part, list):
        if part and all(isinstance(step, dict) and 'type' in step for step in part):
            yield part
        for value in part:
            yield from _pipelines(value)
