"""Files of safetensors, tensor by tensor: no more than one is in memory twice."""

import json
from pathlib import Path
from typing import Dict, Optional, Tuple

import safetensors
import torch
from torch import Tensor

from mmris.utils.json_files import JSON_ERRORS
from mmris.utils.text import shorten

from .casting import as_dtype
from .kinds import unreadable

#: Types of numbers, by what safetensors calls them.
DTYPES = {
    'F64': torch.float64,
    'F32': torch.float32,
    'F16': torch.float16,
    'BF16': torch.bfloat16,
    'F8_E4M3': torch.float8_e4m3fn,
    'F8_E5M2': torch.float8_e5m2,
    'C64': torch.complex64,
    'I64': torch.int64,
    'I32': torch.int32,
    'I16': torch.int16,
    'I8': torch.int8,
    'U64': torch.uint64,
    'U32': torch.uint32,
    'U16': torch.uint16,
    'U8': torch.uint8,
    'BOOL': torch.bool,
}


def read_safetensors(local: Path, name: str, dtype: Optional[torch.dtype] = None) -> Tuple[Dict[str, Tensor], dict]:
    """Read a file of safetensors.

    The library itself maps a file into memory, all of which counts as the process's until the last tensor is gone.

    Args:
        local (Path): The file.
        name (str): What to call it in messages.
        dtype (torch.dtype, optional): See :func:`~mmris.checkpoints.files.casting.as_dtype`. Default: None.

    Returns:
        tuple[dict[str, Tensor], dict]: The tensors, and the metadata: the entry ``meta``, if that is JSON of a dict.

    Raises:
        UnreadableCheckpointError: If the file is truncated or damaged, or has numbers of a type that is not known, or
            a tensor of an impossible shape.
    """
    try:
        # Checks that the header is whole, and that its tensors lie side by side in the file.
        with safetensors.safe_open(local, framework='pt') as file:
            metadata = file.metadata() or {}
    except safetensors.SafetensorError as error:
        raise unreadable(name, f'it is a safetensors file that is truncated or damaged ({error}): fetch it '
                         f'again') from error
    with local.open('rb') as opened:
        length = int.from_bytes(opened.read(8), 'little')
        header = json.loads(opened.read(length))
        header.pop('__metadata__', None)
        state = {}
        for key, entry in sorted(header.items(), key=lambda item: item[1]['data_offsets']):
            if entry['dtype'] not in DTYPES:
                raise unreadable(name, f'{key} in it has numbers of the type {entry["dtype"]}, which is not read')
            begin, end = entry['data_offsets']
            opened.seek(8 + length + begin)
            content = opened.read(end - begin)
            try:
                tensor = _tensor(content, DTYPES[entry['dtype']], entry['shape'])
            except (TypeError, ValueError, RuntimeError) as error:
                # Without a number, a tensor can have any sides.
                raise unreadable(name, f'{key} in it has the shape {shorten(entry["shape"])}, which no tensor has') \
                    from error
            state[key] = as_dtype(tensor, dtype)
    return {key: state[key] for key in header}, _meta(metadata)


def _tensor(content: bytes, dtype: torch.dtype, shape: list) -> Tensor:
    # frombuffer takes no empty buffer, and warns of one that cannot be written to.
    numbers = torch.frombuffer(bytearray(content), dtype=dtype) if content else torch.empty(0, dtype=dtype)
    return numbers.reshape(shape)


def _meta(metadata: dict) -> dict:
    # What is more than text stands as one entry there.
    try:
        meta = json.loads(metadata.get('meta', 'null'))
    except JSON_ERRORS:
        meta = None
    return meta if isinstance(meta, dict) else metadata
