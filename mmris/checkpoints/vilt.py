"""ViLT's weights from a file, and which architecture they are of."""

from typing import Dict, Mapping, Optional

from torch import Tensor

from .joint_weights import JointWeights, measure_weights, sort_weights
from .key_maps.vilt import detect_layout
from .reading import read_tensors


def read_vilt_weights(path: str,
                      trust: bool = False,
                      trust_option: str = 'trust_pretrained=True of the encoder') -> JointWeights:
    """Read ViLT's weights in its published layout, in Hugging Face's or in ours, told by their keys.

    Published files hold objects of the packages that trained; these are left out and need not be installed.

    Args:
        path (str): A file, or an address; of a model trained here its encoder is read, with what it has of instance
            masks.
        trust (bool): Also read a file in torch's old format that holds more than tensors, by running what it says.
            Defaults to False.
        trust_option (str): What users set for ``trust``, for the message of a refusal.

    Returns:
        JointWeights: The weights, in the file's types of numbers.

    Raises:
        FileNotFoundError: If there is no such file.
        UnreadableCheckpointError: If it holds no weights of ViLT, or is truncated or damaged.
        UnreadableCheckpointError: If it is in torch's old format and holds more than tensors.
        KeyMapError: If keys of a published layout are left over.
    """
    checkpoint = read_tensors(path, trust=trust, trust_option=trust_option)
    return sort_weights(checkpoint, path, name='ViLT', detect=detect_layout)


def measure_vilt(state: Mapping[str, Tensor]) -> Optional[Dict[str, int]]:
    """Read the measures of a ViLT off its weights.

    Args:
        state (Mapping[str, Tensor]): Weights of a ``TrimodalEncoder``.

    Returns:
        dict[str, int] or None: All of its architecture but ``heads``, which shapes do not tell. None if the weights
        are not whole.
    """
    # One position is that of the class token.
    return measure_weights(state, layers='blocks.', feedforward='blocks.0.mlp.fc1.weight', other_positions=1)
