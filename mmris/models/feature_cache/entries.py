"""Between what a tower computes of a batch and what is kept of each image: one run of bytes, and how it is laid out.

The layout of memory is kept too, not only the numbers: a map whose channels come last, or patches beside a class token,
come back as they were. What follows then adds in the same order, so that results have the same bits.
"""

import json
import math
from dataclasses import dataclass, fields
from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

import torch
from torch import Tensor

from mmris.structures import TensorStructure

# What follows begins at a multiple of this many bytes, so that any dtype can be read in place.
_ALIGNMENT = 64


@dataclass(frozen=True)
class Entry:
    """What is kept of one image.

    Attributes:
        layout (bytes): JSON: the structure, its tensors, and where they lie in ``content``.
        content (Tensor): ``(n,)`` uint8, in the processor's memory.
    """

    layout: bytes
    content: Tensor

    def __len__(self) -> int:
        return len(self.layout) + self.content.numel()


class _Block(NamedTuple):
    """Memory that one or more tensors lie in: ``rows`` are ``(B, extent)``, ``step`` numbers apart."""

    rows: Tensor
    step: int


def pack(value: Any, dtype: torch.dtype) -> List[Entry]:
    """Take apart what was computed of B images.

    Args:
        value (Any): A :class:`TensorStructure`, a tensor, or tuples and dicts of these; the first dimension of all
            tensors is B.
        dtype (torch.dtype): Wider real numbers are rounded to it, float16 only where none is beyond its range.

    Returns:
        list[Entry]: Of each image.

    Raises:
        TypeError: If the value holds something else than tensors and plain values.
    """
    tensors: List[Tensor] = []
    structure = _describe(value, tensors)
    blocks, places = _find_blocks([tensor.detach() for tensor in tensors])
    described = [[*place, list(tensor.shape[1:]), list(stride)] for tensor, (*place, stride) in zip(tensors, places)]
    stored = [_narrow(block.rows, dtype) for block in blocks]
    entries = []
    for row in range(tensors[0].size(0)):
        parts = [rows[row] for rows in stored]
        if dtype is torch.float16:
            # Beyond the range of float16: such an image keeps its numbers as they are.
            parts = [
                block.rows[row].cpu() if rows.dtype is not block.rows.dtype and
                not bool(rows[row].isfinite().all()) else rows[row] for rows, block in zip(stored, blocks)
            ]
        entries.append(_write(structure, described, blocks, parts))
    return entries


def unpack(entries: Sequence[Entry], device: torch.device) -> Any:
    """Put together what :func:`pack` took apart.

    Args:
        entries (Sequence[Entry]): Of each image.
        device (torch.device): Where to.

    Returns:
        Any: As it was computed, but for rounding.
    """
    layouts = [json.loads(entry.layout) for entry in entries]
    first = layouts[0]
    if all(_same_places(first, layout) for layout in layouts[1:]):
        tensors = _read(entries, layouts, device)
    else:
        apart = [_read([entry], [layout], device) for entry, layout in zip(entries, layouts)]
        tensors = [torch.cat(rows) for rows in zip(*apart)]
    return _rebuild(first['value'], tensors)


def _read(entries: Sequence[Entry], layouts: Sequence[dict], device: torch.device) -> List[Tensor]:
    """The tensors of entries whose layouts differ at most in how numbers are stored."""
    places = layouts[0]
    blocks = [_join(number, entries, layouts, device) for number in range(len(places['blocks']))]
    return [
        blocks[block].as_strided((len(entries), *size), (places['blocks'][block]['step'], *stride), offset)
        for block, offset, size, stride in places['tensors']
    ]


def _join(number: int, entries: Sequence[Entry], layouts: Sequence[dict], device: torch.device) -> Tensor:
    """Memory with one block of all entries, as far apart as they were in the batch that they were computed in."""
    block = layouts[0]['blocks'][number]
    step, extent = block['step'], block['extent']
    memory = torch.empty((len(entries) - 1) * step + extent, dtype=getattr(torch, block['dtype']), device=device)
    rows = memory.as_strided((len(entries), extent), (step, 1))
    for row, entry, layout in zip(rows, entries, layouts):
        own = layout['blocks'][number]
        stored = getattr(torch, own['stored'])
        size = extent * stored.itemsize
        row.copy_(entry.content[own['start']:own['start'] + size].view(stored))
    return memory


def _same_places(one: dict, other: dict) -> bool:
    kept = ('dtype', 'step', 'extent')
    return one['tensors'] == other['tensors'] and one['value'] == other['value'] and all(
        mine[name] == theirs[name] for mine, theirs in zip(one['blocks'], other['blocks']) for name in kept)


def _narrow(rows: Tensor, dtype: torch.dtype) -> Tensor:
    wider = rows.is_floating_point() and rows.element_size() > dtype.itemsize
    return (rows.to(dtype) if wider else rows).cpu()


def _write(structure: Any, tensors: List[list], blocks: Sequence[_Block], parts: Sequence[Tensor]) -> Entry:
    described, start = [], 0
    for block, part in zip(blocks, parts):
        described.append(
            dict(
                dtype=_name(block.rows.dtype),
                stored=_name(part.dtype),
                step=block.step,
                extent=part.numel(),
                start=start))
        start += -(-part.numel() * part.element_size() // _ALIGNMENT) * _ALIGNMENT
    content = torch.zeros(start, dtype=torch.uint8)
    for place, part in zip(described, parts):
        size = part.numel() * part.element_size()
        content[place['start']:place['start'] + size] = part.contiguous().view(torch.uint8)
    layout = json.dumps(dict(value=structure, tensors=tensors, blocks=described), separators=(',', ':'))
    return Entry(layout.encode(), content)


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix('torch.')


def _find_blocks(tensors: Sequence[Tensor]) -> Tuple[List[_Block], List[Tuple[int, int, Tuple[int, ...]]]]:
    """Find the memory that tensors lie in: once, where they share it.

    Returns:
        tuple: The blocks, and for each tensor the number of its block, where it begins there, and the strides of all
        its dimensions but the first.
    """
    groups: Dict[tuple, List[int]] = {}
    for number, tensor in enumerate(tensors):
        key = (tensor.untyped_storage().data_ptr(), tensor.dtype, tensor.stride(0))
        groups.setdefault(key, []).append(number)
    blocks: List[_Block] = []
    places: List[Any] = [None] * len(tensors)
    for numbers in groups.values():
        members = [tensors[number] for number in numbers]
        start = min(tensor.storage_offset() for tensor in members)
        extent = max(tensor.storage_offset() + _extent(tensor) for tensor in members) - start
        step = members[0].stride(0) if members[0].size(0) > 1 else max(members[0].stride(0), extent)
        if extent <= step and extent <= sum(tensor[0].numel() for tensor in members):
            rows = members[0].as_strided((members[0].size(0), extent), (step, 1), start)
            for number in numbers:
                places[number] = (len(blocks), tensors[number].storage_offset() - start, tensors[number].stride()[1:])
            blocks.append(_Block(rows, step))
            continue
        for number in numbers:
            # Rows that lie between one another, or are mostly gaps.
            own = tensors[number].contiguous()
            places[number] = (len(blocks), 0, own.stride()[1:])
            blocks.append(_Block(own.flatten(1) if own.dim() > 1 else own.unsqueeze(1), max(own[0].numel(), 1)))
    return blocks, places


def _extent(tensor: Tensor) -> int:
    """From the first to the last number of a row."""
    sizes = tensor.shape[1:]
    return 0 if 0 in sizes else 1 + sum((size - 1) * stride for size, stride in zip(sizes, tensor.stride()[1:]))


def _describe(value: Any, tensors: List[Tensor]) -> Any:
    """A structure as plain values; its tensors are added to a list, and stand there by number."""
    if isinstance(value, Tensor):
        tensors.append(value)
        return dict(tensor=len(tensors) - 1)
    if isinstance(value, TensorStructure):
        own = {field.name: _describe(getattr(value, field.name), tensors) for field in fields(value)}
        return dict(structure=type(value).__qualname__, fields=own)
    if isinstance(value, (tuple, dict)):
        kind, items = ('dict', value.items()) if isinstance(value, dict) else ('tuple', enumerate(value))
        return {kind: [[key, _describe(item, tensors)] for key, item in items]}
    if value is None or isinstance(value, (bool, int, str)) or isinstance(value, float) and math.isfinite(value):
        return dict(plain=value)
    raise TypeError(f'A feature cache keeps tensors, structures of them and plain values, but the tower computed a '
                    f'{type(value).__name__}. Leave model.feature_cache out.')


def _rebuild(described: dict, tensors: Sequence[Tensor]) -> Any:
    if 'tensor' in described:
        return tensors[described['tensor']]
    if 'structure' in described:
        kind = _structures()[described['structure']]
        return kind(**{name: _rebuild(own, tensors) for name, own in described['fields'].items()})
    if 'tuple' in described:
        return tuple(_rebuild(item, tensors) for _, item in described['tuple'])
    if 'dict' in described:
        return {key: _rebuild(item, tensors) for key, item in described['dict']}
    return described['plain']


def _structures() -> Dict[str, type]:
    """All classes of structures, by name."""
    found, left = {}, [TensorStructure]
    while left:
        kind = left.pop()
        found[kind.__qualname__] = kind
        left += kind.__subclasses__()
    return found
