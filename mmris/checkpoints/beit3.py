"""BEiT-3's weights from a file, and which architecture they are of."""

from typing import Dict, Mapping, Optional

from torch import Tensor

from .joint_weights import JointWeights, measure_weights, sort_weights
from .key_maps.beit3 import BEIT3
from .key_maps.key_map import KeyMap, State
from .reading import read_checkpoint

_PUBLISHED = 'beit3.'
# A joint space is not BEiT-3's.
_PROJECTIONS = ('image_projection.', 'text_projection.')


def read_beit3_weights(path: str,
                       trust: bool = False,
                       trust_option: str = 'trust_pretrained=True of the encoder') -> JointWeights:
    """Read BEiT-3's weights in its published layout or in ours, told by their keys.

    Args:
        path (str): A file, or an address; of a model trained here its encoder is read, without joint space.
        trust (bool): Also read a file that holds more than tensors, by running what it says. Defaults to False.
        trust_option (str): What users set for ``trust``, for the message of a refusal.

    Returns:
        JointWeights: The weights, in the file's types of numbers.

    Raises:
        FileNotFoundError: If there is no such file.
        UnreadableCheckpointError: If it holds no weights of BEiT-3, is truncated or damaged, or holds more than
            tensors.
        KeyMapError: If keys of the published layout are left over.
    """
    checkpoint = read_checkpoint(path, trust=trust, trust_option=trust_option)
    return sort_weights(checkpoint, path, name='BEiT-3', detect=_detect_layout, without=_PROJECTIONS)


def measure_beit3(state: Mapping[str, Tensor]) -> Optional[Dict[str, int]]:
    """Read the measures of a BEiT-3 off its weights.

    Args:
        state (Mapping[str, Tensor]): Weights of a ``BEiT3Encoder``.

    Returns:
        dict[str, int] or None: All of its architecture but ``heads``, which shapes do not tell. None if the weights
        are not whole.
    """
    # Two positions are not used, one is that of the class token.
    return measure_weights(
        state, layers='layers.', feedforward='layers.0.image.feedforward.0.weight', other_positions=3)


def _detect_layout(state: State) -> Optional[KeyMap]:
    return BEIT3 if any(key.startswith(_PUBLISHED) for key in state) else None
