"""Weights of a transformer that takes image and text as one sequence, from a file of whatever layout."""

import math
from dataclasses import dataclass
from typing import Any, Callable, Dict, Mapping, Optional, Tuple

from torch import Tensor

from .file_kinds import unreadable
from .key_maps.key_map import LEFT_OUT, KeyMap, State
from .unwrapping import fit_layout, unwrap_weights

_ENCODER = 'encoder.'
# By this key weights of ours are known.
OURS = 'word_embedding.weight'


@dataclass(frozen=True)
class JointWeights:
    """Weights of BEiT-3 or ViLT, of whatever layout they were.

    Attributes:
        encoder (dict[str, Tensor]): By the keys of the encoder here.
        left_out (dict[str, Tensor]): What the published model has and no model of ours, as heads of its tasks.
        source (str): The file that they come from.
        others (tuple[str]): Keys of the file that are not the published model's: the rest of a model trained here.
    """

    encoder: State
    left_out: State
    source: str
    others: Tuple[str, ...] = ()


def sort_weights(checkpoint: Mapping[str, Any],
                 path: str,
                 *,
                 name: str,
                 detect: Callable[[State], Optional[KeyMap]],
                 without: Tuple[str, ...] = ()) -> JointWeights:
    """Bring what a file holds to our keys, published weights or those of a model trained here.

    Args:
        checkpoint (Mapping): The file's content.
        path (str): What to call it in messages.
        name (str): What the published model is called in messages.
        detect (callable): Which layout published weights are in; None if in none.
        without (tuple[str]): With what the keys begin of what an encoder here has and the published model has not.
            Defaults to nothing.

    Returns:
        JointWeights: The weights, in the file's types of numbers.

    Raises:
        UnreadableCheckpointError: If there are no such weights, or values that are not tensors among them.
        KeyMapError: If keys of the published layout are left over.
    """
    state, beside = fit_layout(unwrap_weights(checkpoint, path), lambda one: _is_ours(one) or detect(one) is not None)
    layout = detect(state)
    if layout is not None:
        ours, others = layout.to_ours(state, path), ()
    elif _is_ours(state):
        ours, others = _split_encoder(state, without)
    else:
        begin = ', '.join(sorted(state)[:5]) or 'nothing'
        raise unreadable(path, f'it holds no weights by the keys of {name} or mmris, but {begin}')
    encoder = {key: tensor for key, tensor in ours.items() if not key.startswith(LEFT_OUT)}
    left_out = {key.removeprefix(LEFT_OUT): tensor for key, tensor in ours.items() if key.startswith(LEFT_OUT)}
    return JointWeights(encoder, left_out, path, (*others, *beside))


def measure_weights(state: Mapping[str, Tensor], *, layers: str, feedforward: str,
                    other_positions: int) -> Optional[Dict[str, int]]:
    """Read the measures of an encoder off its weights.

    Args:
        state (Mapping[str, Tensor]): By our keys.
        layers (str): With what the keys of its layers begin, before their number.
        feedforward (str): The key of the first linear map of a layer's feedforward.
        other_positions (int): Rows of the image's positions that belong to no patch.

    Returns:
        dict[str, int] or None: All of its architecture but ``heads``, which shapes do not tell. None if the weights
        are not whole.
    """
    try:
        patch_size = state['patch_embedding.weight'].size(3)
        positions, channels = state['image_positions'].shape
        return dict(
            layers=len({key.split('.')[1] for key in state if key.startswith(layers)}),
            channels=channels,
            feedforward_channels=len(state[feedforward]),
            patch_size=patch_size,
            image_size=patch_size * math.isqrt(positions - other_positions),
            vocabulary=len(state[OURS]),
            text_positions=len(state['text_positions']))
    except (KeyError, IndexError, ValueError):
        # A key is missing, or has another number of dimensions.
        return None


def _is_ours(state: State) -> bool:
    return OURS in state or _ENCODER + OURS in state


def _split_encoder(state: State, without: Tuple[str, ...]) -> Tuple[State, Tuple[str, ...]]:
    """The published model out of weights of ours, and the keys of the rest."""
    prefix = _ENCODER if _ENCODER + OURS in state else ''
    names = {key: key.removeprefix(prefix) for key in state if key.startswith((prefix, LEFT_OUT))}
    kept = {key: name for key, name in names.items() if not name.startswith(without)}
    return {name: state[key] for key, name in kept.items()}, tuple(key for key in state if key not in kept)
