from .files import (
    UnreadableCheckpointError,
    read_checkpoint,
    strip_layout_prefix,
    strip_model_prefix,
    unwrap_weights,
)
from .loading import (
    ModelCheckpoint,
    compare_checkpoint,
    load_model_weights,
    name_as_model,
    read_model_checkpoint,
    read_whole,
)
from .misfits import Misfits
from .published import PUBLISHED, compare_published, convert, load_published, read_published
from .publishing import Publication, publish
from .runs import best_checkpoint, find_checkpoints

__all__ = [
    'PUBLISHED', 'Misfits', 'ModelCheckpoint', 'Publication', 'UnreadableCheckpointError', 'best_checkpoint',
    'compare_checkpoint', 'compare_published', 'convert', 'find_checkpoints', 'load_model_weights', 'load_published',
    'name_as_model', 'publish', 'read_checkpoint', 'read_model_checkpoint', 'read_published', 'read_whole',
    'strip_layout_prefix', 'strip_model_prefix', 'unwrap_weights'
]
