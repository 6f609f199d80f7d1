"""BEiT-3's weights from a file, and which architecture they are of."""

import math
from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional, Tuple

from torch import Tensor

from .file_kinds import unreadable
from .key_maps.beit3 import BEIT3
from .key_maps.key_map import LEFT_OUT, State
from .reading import read_checkpoint

# In BEiT-3's published files weights stand under the first, in those that DeepSpeed wrote under the second.
_WRAPPERS = ('model', 'module', 'state_dict')
_PUBLISHED = 'beit3.'
_ENCODER = 'encoder.'
# By this key weights of ours are known.
_OURS = 'word_embedding.weight'
# A joint space is not BEiT-3's.
_PROJECTIONS = ('image_projection.', 'text_projection.')


@dataclass(frozen=True)
class BEiT3Weights:
    """Weights of BEiT-3, of whatever layout they were.

    Attributes:
        encoder (dict[str, Tensor]): By the keys of :class:`mmris.models.encoders.BEiT3Encoder`.
        left_out (dict[str, Tensor]): What BEiT-3 has and no model of ours, as heads of its tasks.
        source (str): The file that they come from.
        others (tuple[str]): Keys of the file that are not BEiT-3's: the rest of a model trained here.
    """

    encoder: State
    left_out: State
    source: str
    others: Tuple[str, ...] = ()


def read_beit3_weights(path: str,
                       trust: bool = False,
                       trust_option: str = 'trust_pretrained=True of the encoder') -> BEiT3Weights:
    """Read BEiT-3's weights in its published layout or in ours, told by their keys.

    Args:
        path (str): A file, or an address; of a model trained here its encoder is read, without joint space.
        trust (bool): Also read a file that holds more than tensors, by running what it says. Defaults to False.
        trust_option (str): What users set for ``trust``, for the message of a refusal.

    Returns:
        BEiT3Weights: The weights, in the file's types of numbers.

    Raises:
        FileNotFoundError: If there is no such file.
        UnreadableCheckpointError: If it holds no weights of BEiT-3, is truncated or damaged, or holds more than
            tensors.
        KeyMapError: If keys of the published layout are left over.
    """
    state = _unwrap(read_checkpoint(path, trust=trust, trust_option=trust_option), path)
    if any(key.startswith(_PUBLISHED) for key in state):
        ours, others = BEIT3.to_ours(state, path), ()
    elif _OURS in state or _ENCODER + _OURS in state:
        ours, others = _split_encoder(state)
    else:
        begin = ', '.join(sorted(state)[:5]) or 'nothing'
        raise unreadable(path, f'it holds no weights by the keys of BEiT-3 or mmris, but {begin}')
    encoder = {key: tensor for key, tensor in ours.items() if not key.startswith(LEFT_OUT)}
    left_out = {key.removeprefix(LEFT_OUT): tensor for key, tensor in ours.items() if key.startswith(LEFT_OUT)}
    return BEiT3Weights(encoder, left_out, path, others)


def measure_beit3(state: Mapping[str, Tensor]) -> Optional[Dict[str, int]]:
    """Read the measures of a BEiT-3 off its weights.

    Args:
        state (Mapping[str, Tensor]): Weights of a ``BEiT3Encoder``.

    Returns:
        dict[str, int] or None: All of its architecture but ``heads``, which shapes do not tell. None if the weights
        are not whole.
    """
    try:
        patch_size = state['patch_embedding.weight'].size(3)
        positions, channels = state['image_positions'].shape
        return dict(
            layers=len({key.split('.')[1] for key in state if key.startswith('layers.')}),
            channels=channels,
            feedforward_channels=len(state['layers.0.image.feedforward.0.weight']),
            patch_size=patch_size,
            # Two positions are not used, one is that of the class token.
            image_size=patch_size * math.isqrt(positions - 3),
            vocabulary=len(state[_OURS]),
            text_positions=len(state['text_positions']))
    except (KeyError, IndexError, ValueError):
        # A key is missing, or has another number of dimensions.
        return None


def _unwrap(checkpoint: Mapping[str, Any], path: str) -> State:
    state = next((checkpoint[name] for name in _WRAPPERS if isinstance(checkpoint.get(name), Mapping)), checkpoint)
    strange = [str(key) for key, value in state.items() if not (isinstance(key, str) and isinstance(value, Tensor))]
    if strange:
        raise unreadable(path, f'it holds values that are not tensors: {", ".join(strange)}')
    return {key: tensor.detach() for key, tensor in state.items()}


def _split_encoder(state: State) -> Tuple[State, Tuple[str, ...]]:
    """BEiT-3 out of weights of ours, and the keys of the rest."""
    prefix = _ENCODER if _ENCODER + _OURS in state else ''
    names = {key: key.removeprefix(prefix) for key in state if key.startswith((prefix, LEFT_OUT))}
    kept = {key: name for key, name in names.items() if not name.startswith(_PROJECTIONS)}
    return {name: state[key] for key, name in kept.items()}, tuple(key for key in state if key not in kept)
