"""Weights into the bytes of a file: the same weights in the same order make the same bytes."""

import io
import json
from typing import Any, Mapping, Optional

import safetensors.torch
import torch
from torch import Tensor

SAFETENSORS = '.safetensors'


def serialise(weights: Mapping[str, Tensor],
              suffix: str,
              *,
              entry: Optional[str] = 'state_dict',
              meta: Optional[Mapping[str, Any]] = None) -> bytes:
    """Make a file of weights alone.

    Args:
        weights (Mapping[str, Tensor]): The weights.
        suffix (str): ``'.safetensors'``; any other stands for a file of ``torch.save``.
        entry (str, optional): Key of the weights in a file of ``torch.save``. None: the file holds nothing else.
            Default: ``'state_dict'``.
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
    content = copies if entry is None else {entry: copies}
    # Given a path, torch would write the path's name into the file.
    buffer = io.BytesIO()
    torch.save(content if meta is None else dict(content, meta=dict(meta)), buffer)
    return buffer.getvalue()
