from .clip import load_clip_weights
from .reading import UnreadableCheckpointError, load_model_weights, read_checkpoint
from .resuming import find_checkpoints, remove_leftovers

__all__ = [
    'UnreadableCheckpointError', 'find_checkpoints', 'load_clip_weights', 'load_model_weights', 'read_checkpoint',
    'remove_leftovers'
]
