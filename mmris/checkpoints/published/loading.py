"""Weights of a published model into an encoder: all of them, or an error that says what to set."""

from typing import Any, Collection, Tuple

from mmengine.logging import print_log
from torch import nn

from ..files import State
from ..misfits import Misfits, compare_weights
from .model import PublishedModel, PublishedWeights


def load_published(module: nn.Module,
                   model: PublishedModel,
                   weights: PublishedWeights,
                   architecture: Any = None,
                   part: str = '') -> Collection[str]:
    """Load weights of a published model.

    Args:
        module (nn.Module): The encoder or a part of it, with our keys below the model's ``root``. What it has of its
            own stays as it is.
        model (PublishedModel): The model.
        weights (PublishedWeights): Its weights.
        architecture (dict, optional): What the module was built from, for the message. Default: None.
        part (str): What stands before the module's keys among ours of the published model. Default: '', nothing.

    Returns:
        Collection[str]: The keys that were loaded.

    Raises:
        RuntimeError: If keys are missing or left over or shapes differ; the message says which, and of which
            architecture the weights are.
    """
    state, expected = _select(module, model, weights, part)
    misfits = compare_weights(expected, state)
    if misfits:
        message = f'{weights.source} does not fit the {model.title} of the config.'
        advice = model.advise(state, expected, architecture)
        raise RuntimeError(' '.join(filter(None, (message, advice, str(misfits)))))
    module.load_state_dict(state, strict=False)
    print_log(f'Loaded {model.title} from {weights.source}.', logger='current')
    return state.keys()


def compare_published(module: nn.Module, model: PublishedModel, weights: PublishedWeights) -> Misfits:
    """Compare weights of a published model with those that :func:`load_published` asks for.

    Args:
        module (nn.Module): The encoder, which stays as it is.
        model (PublishedModel): The model.
        weights (PublishedWeights): Its weights.

    Returns:
        Misfits: All that differs.
    """
    state, expected = _select(module, model, weights, '')
    return compare_weights(expected, state)


def _select(module: nn.Module, model: PublishedModel, weights: PublishedWeights, part: str) -> Tuple[State, State]:
    """What of the weights is loaded, and what the module asks for."""
    own, state = module.state_dict(), weights.part(part)
    expected = {key: value for key, value in own.items() if model.has(part + key)}
    if part:
        # A stage may have a few weights of the published model among others.
        state = {key: value for key, value in state.items() if model.has(part + key)}
    added = {key: value for key, value in own.items() if key.startswith(model.additions)}
    if added and any(key.startswith(model.additions) for key in state):
        expected.update(added)
    else:
        state = {key: value for key, value in state.items() if not key.startswith(model.additions)}
    return model.fit(state, expected)
