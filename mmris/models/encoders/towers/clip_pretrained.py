"""Published weights into CLIP's towers."""

from typing import Dict, Optional

from torch import nn

from mmris.checkpoints import load_published, read_published
from mmris.checkpoints.published import CLIP, PublishedWeights
from mmris.zoo import TOWERS

from .clip_architecture import Architecture
from .clip_transformer import CLIPTransformer


def load_clip(towers: Dict[str, nn.Module], pretrained: str, architecture: Architecture, *,
              quick_gelu: Optional[bool], trust: bool) -> None:
    """Load CLIP weights, and the activation that they were trained with.

    Args:
        towers (dict[str, nn.Module]): ``image`` or ``text`` or both.
        pretrained (str): An open_clip tag, a file, a folder, or towers of the zoo.
        architecture (str or dict): What the towers were built from.
        quick_gelu (bool, optional): The activation that the config says.
        trust (bool): Also read a file that holds more than tensors.

    Raises:
        ValueError: If ``pretrained`` is no tag of the architecture, file or folder, or cannot be read.
        ValueError: If neither file nor config tells the activation, or both and differently.
        RuntimeError: If the weights are of another architecture.
    """
    weights = read_published(CLIP, pretrained, architecture=architecture, trust=trust, kind=TOWERS)
    transformers = [tower for tower in towers.values() if isinstance(tower, CLIPTransformer)]
    activation = _choose_quick_gelu(weights, quick_gelu) if transformers else None
    load_published(nn.ModuleDict(towers), CLIP, weights)
    for tower in transformers:
        tower.use_quick_gelu(activation)


def _choose_quick_gelu(weights: PublishedWeights, said: Optional[bool]) -> bool:
    if weights.quick_gelu is None and said is None:
        raise ValueError(
            f'{weights.source} does not tell whether its weights were trained with QuickGELU (as OpenAI\'s) or GELU. '
            f'Set quick_gelu=True or quick_gelu=False in the encoder\'s config.')
    if None not in (weights.quick_gelu, said) and weights.quick_gelu != said:
        made = 'QuickGELU' if weights.quick_gelu else 'GELU'
        raise ValueError(
            f'{weights.source} was trained with {made}, but the encoder\'s config says quick_gelu={said}. Leave '
            f'quick_gelu, or "-quickgelu" in the architecture\'s name, out: the file tells.')
    return said if weights.quick_gelu is None else weights.quick_gelu
