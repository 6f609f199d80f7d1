"""Weights into the bytes of a file: the same weights in the same order make the same bytes."""

import io
import json
from typing import Any, Dict, Mapping, Optional

import safetensors.torch
import torch
from torch import Tensor

SAFETENSORS = '.safetensors'


def serialise(weights: Mapping[str, Tensor],
              suffix: str,
              *,
              entry: Optional[str] = 'state_dict',
              joined: Optional[Mapping[str, str]] = None,
              meta: Optional[Mapping[str, Any]] = None) -> bytes:
    """Make a file of weights alone.

    Args:
        weights (Mapping[str, Tensor]): The weights.
        suffix (str): ``'.safetensors'``; any other stands for a file of ``torch.save``.
        entry (str, optional): Key of the weights in a file of ``torch.save``. None: the file holds nothing else.
            Default: ``'state_dict'``.
        joined (Mapping[str, str], optional): Of a file of ``torch.save`` with an ``entry``, further entries, each with
            the prefix of the weights that stand there, and not in ``entry``, by their keys without it. Default: None.
        meta (Mapping[str, Any], optional): Plain values that describe the weights: the entry ``meta`` of a file of
            ``torch.save`` or, as JSON, of the metadata of a safetensors file. Default: None.

    Returns:
        bytes: The file's content.
    """
    # Copies: a part of a larger tensor would bring all of it, and safetensors refuses tensors that share memory.
    copies = {
        name: value.detach().cpu().clone(memory_format=torch.contiguous_format) for name, value in weights.items()
    }
    if suffix == SAFETENSORS:
        # A single entry: safetensors writes several in an order that changes from one process to the next.
        return safetensors.torch.save(
            copies, metadata=dict(format='pt') if meta is None else dict(meta=json.dumps(meta)))
    content = copies if entry is None else _part(copies, entry, joined or {})
    # Given a path, torch would write the path's name into the file.
    buffer = io.BytesIO()
    torch.save(content if meta is None else dict(content, meta=dict(meta)), buffer)
    return buffer.getvalue()


def _part(weights: Dict[str, Tensor], entry: str, joined: Mapping[str, str]) -> Dict[str, Dict[str, Tensor]]:
    """Entries of weights, the main one first."""
    parts = {
        name: {key.removeprefix(prefix): value for key, value in weights.items() if key.startswith(prefix)}
        for name, prefix in joined.items()
    }
    rest = {key: value for key, value in weights.items() if not key.startswith(tuple(joined.values()))}
    return {entry: rest, **parts}
