"""Published weights into a tower that is a published model by itself."""

from typing import Any

from torch import nn

from mmris.checkpoints import load_published, read_published
from mmris.checkpoints.published import PublishedModel
from mmris.zoo import TOWERS


def load_tower(tower: nn.Module, model: PublishedModel, name: str, architecture: Any = None) -> None:
    """Load ``pretrained`` of a tower, if set.

    Args:
        tower (nn.Module): With ``pretrained`` and ``trust_pretrained``.
        model (PublishedModel): What it is.
        name (str): What messages call it: ``'image tower'``.
        architecture (dict, optional): What it was built from, for the message. Default: None.

    Raises:
        FileNotFoundError, ValueError: If the file is missing or cannot be read.
        RuntimeError: If it holds no such model.
    """
    if tower.pretrained is None:
        return
    weights = read_published(
        model, tower.pretrained, trust=tower.trust_pretrained, trust_option=f'trust_pretrained=True of the {name}',
        kind=TOWERS)
    load_published(tower, model, weights, architecture)
