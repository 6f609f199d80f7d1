"""Published weights of whole models: which config has such a model, and how they become a checkpoint of it."""

from typing import Collection, Dict, Optional, Sequence, Tuple

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import Tensor

from mmris.registry import MODELS
from mmris.utils import find_config

from ..files import State, strip_layout_prefix
from ..misfits import find_misfits
from .key_map import KeyMapError
from .model import Layout, PublishedModel, PublishedWeights


def find_fitting_config(weights: PublishedWeights, configs: Sequence[str], flags: Collection[str] = ()) -> str:
    """Find the config whose model has the weights of a file.

    Args:
        weights (PublishedWeights): The weights.
        configs (Sequence[str]): Those to choose from.
        flags (Collection[str]): Our keys that say whether the weights use QuickGELU. Default: ().

    Returns:
        str: One of them.

    Raises:
        KeyMapError: If none; the message says what is missing, left over or of another shape for the closest.
    """
    state = dict(weights.state)
    if weights.quick_gelu is not None:
        state.update({flag: torch.tensor(weights.quick_gelu) for flag in flags})
    models = {config: _empty_weights(config) for config in configs}
    closest = min(models, key=lambda config: _difference(models[config], state))
    misfits = find_misfits(models[closest], state)
    if misfits:
        among = f', the closest of {", ".join(models)}' if len(models) > 1 else ''
        raise KeyMapError(
            f'{weights.source} does not fit {closest}{among}. Models of other sizes are not converted. {misfits}')
    return closest


def _difference(expected: State, state: State) -> Tuple[int, int]:
    """How many keys two sets of weights do not have in common, and how many of those in common differ in shape."""
    common = expected.keys() & state.keys()
    return len(expected.keys() ^ state.keys()), sum(expected[key].shape != state[key].shape for key in common)


def _empty_weights(config: str) -> Dict[str, Tensor]:
    """The weights of a config's model, without content but for those that are flags."""
    init_default_scope('mmris')
    model = Config.fromfile(find_config(config)).model
    with torch.device('meta'):
        state = MODELS.build(dict(model, distillation=None)).state_dict()
    return {name: torch.tensor(True) if value.dtype == torch.bool else value for name, value in state.items()}


def convert_whole(model: PublishedModel, state: State, path: str) -> Optional[State]:
    """Bring weights of a published whole model to our keys.

    Args:
        model (PublishedModel): The model.
        state (dict[str, Tensor]): Weights, as :func:`~mmris.checkpoints.files.unwrap_weights` gives them.
        path (str): What to call their file in messages.

    Returns:
        dict[str, Tensor], optional: Those that our model has, and those that are excluded. None if the weights are in
        no published layout of the model.

    Raises:
        KeyMapError: If keys are left over, or keys that belong together are not all there.
        UnreadableCheckpointError: If the model is in them several times.
    """
    below, layout = _find_layout(model, state, path)
    if layout is None:
        return None
    ours = layout.to_ours(below, path)
    if layout.quick_gelu is not None:
        ours.update({key: torch.tensor(layout.quick_gelu) for key in model.quick_gelu_keys(ours)})
    return ours


def is_whole_published(model: PublishedModel, state: State, path: str) -> bool:
    """Whether weights are those of a published whole model, in one of its own layouts.

    Args:
        model (PublishedModel): The model.
        state (dict[str, Tensor]): Weights, as :func:`~mmris.checkpoints.files.unwrap_weights` gives them.
        path (str): What to call their file in messages.

    Raises:
        UnreadableCheckpointError: If the model is in them several times.
    """
    return _find_layout(model, state, path)[1] is not None


def _find_layout(model: PublishedModel, state: State, path: str) -> Tuple[State, Optional[Layout]]:
    """The weights without a prefix, and their published layout, if it is one of the model's."""
    below, _ = strip_layout_prefix(state, path, lambda given: _is_published(model, given))
    return below, model.find_layout(below) if _is_published(model, below) else None


def _is_published(model: PublishedModel, state: State) -> bool:
    return model.find_layout(state) is not None and model.is_in(state)
