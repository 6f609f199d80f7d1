"""ViLT's weights from a file, and which architecture they are of."""

import math
from typing import Dict, Mapping, Optional

from torch import Tensor

from .joint_weights import OURS, WRAPPERS, JointWeights, sort_weights
from .key_maps.vilt import detect_layout
from .reading import read_tensors

ViLTWeights = JointWeights


def read_vilt_weights(path: str,
                      trust: bool = False,
                      trust_option: str = 'trust_pretrained=True of the encoder') -> ViLTWeights:
    """Read ViLT's weights in its published layout, in Hugging Face's or in ours, told by their keys.

    Published files hold objects of the packages that trained; these are left out and need not be installed.

    Args:
        path (str): A file, or an address; of a model trained here its encoder is read, with what it has of instance
            masks.
        trust (bool): Also read a file in torch's old format that holds more than tensors, by running what it says.
            Defaults to False.
        trust_option (str): What users set for ``trust``, for the message of a refusal.

    Returns:
        ViLTWeights: The weights, in the file's types of numbers.

    Raises:
        FileNotFoundError: If there is no such file.
        UnreadableCheckpointError: If it holds no weights of ViLT, or is truncated or damaged.
        UnreadableCheckpointError: If it is in torch's old format and holds more than tensors.
        KeyMapError: If keys of a published layout are left over.
    """
    checkpoint = read_tensors(path, WRAPPERS, trust=trust, trust_option=trust_option)
    return sort_weights(checkpoint, path, name='ViLT', detect=detect_layout)


def measure_vilt(state: Mapping[str, Tensor]) -> Optional[Dict[str, int]]:
    """Read the measures of a ViLT off its weights.

    Args:
        state (Mapping[str, Tensor]): Weights of a ``TrimodalEncoder``.

    Returns:
        dict[str, int] or None: All of its architecture but ``heads``, which shapes do not tell. None if the weights
        are not whole.
    """
    try:
        patch_size = state['patch_embedding.weight'].size(3)
        positions, channels = state['image_positions'].shape
        return dict(
            layers=len({key.split('.')[1] for key in state if key.startswith('blocks.')}),
            channels=channels,
            feedforward_channels=len(state['blocks.0.mlp.fc1.weight']),
            patch_size=patch_size,
            # One position is that of the class token.
            image_size=patch_size * math.isqrt(positions - 1),
            vocabulary=len(state[OURS]),
            text_positions=len(state['text_positions']))
    except (KeyError, IndexError, ValueError):
        # A key is missing, or has another number of dimensions.
        return None
