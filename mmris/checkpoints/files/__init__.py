"""Reading files of weights as tensors and plain values, without running code of the file, and writing them."""

from .kinds import FileKind, UnreadableCheckpointError, identify, unreadable
from .reading import read_checkpoint, read_tensors
from .shards import WEIGHTS_NAMES, find_weights_in
from .unwrapping import State, find_container, strip_layout_prefix, strip_model_prefix, unwrap_weights
from .writing import serialise

__all__ = [
    'FileKind', 'State', 'UnreadableCheckpointError', 'WEIGHTS_NAMES', 'find_container', 'find_weights_in', 'identify',
    'read_checkpoint', 'read_tensors', 'serialise', 'strip_layout_prefix', 'strip_model_prefix', 'unreadable',
    'unwrap_weights'
]
