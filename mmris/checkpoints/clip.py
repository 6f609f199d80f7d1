"""CLIP weights by open_clip's tag or from a file."""

import os
from typing import Union

from open_clip import download_pretrained, get_pretrained_cfg, list_pretrained_tags_by_model, load_checkpoint
from torch import nn


def load_clip_weights(towers: nn.Module, architecture: Union[str, dict], pretrained: str) -> None:
    """Load CLIP weights into an open_clip model.

    Args:
        towers (nn.Module): A ``CustomTextCLIP``.
        architecture (str or dict): What it was built from; tags belong to named architectures.
        pretrained (str): A tag of the architecture (``'openai'``, ``'laion2b_s34b_b88k'``), which open_clip
            downloads, or a checkpoint file.

    Raises:
        ValueError: If ``pretrained`` is neither a file nor a tag of the architecture; the message lists its tags.
        RuntimeError: If the file does not fit the architecture.
    """
    path = pretrained
    if not os.path.isfile(pretrained):
        tag = get_pretrained_cfg(architecture, pretrained) if isinstance(architecture, str) else {}
        if not tag:
            tags = list_pretrained_tags_by_model(architecture) if isinstance(architecture, str) else []
            known = f'tags of {architecture} are {", ".join(tags)}' if tags else 'this architecture has no tags'
            raise ValueError(f'pretrained={pretrained!r} is neither a file nor an open_clip tag: {known}.')
        path = download_pretrained(tag)
    try:
        load_checkpoint(towers, path, strict=True, weights_only=True, device='cpu')
    except RuntimeError as error:
        raise RuntimeError(f'{path} does not hold CLIP weights of {architecture!r}: {error}') from error
