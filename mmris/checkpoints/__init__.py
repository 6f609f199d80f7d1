from .beit3 import measure_beit3, read_beit3_weights
from .clip import CLIPWeights, read_clip_weights
from .file_kinds import UnreadableCheckpointError
from .joint_weights import JointWeights
from .loading import load_model_weights, load_tower
from .publishing import Publication, publish
from .reading import read_checkpoint
from .resuming import best_checkpoint, find_checkpoints, remove_leftovers
from .unwrapping import fit_names, unwrap_weights
from .vilt import measure_vilt, read_vilt_weights

__all__ = [
    'CLIPWeights', 'JointWeights', 'Publication', 'UnreadableCheckpointError', 'best_checkpoint', 'find_checkpoints',
    'fit_names', 'load_model_weights', 'load_tower', 'measure_beit3', 'measure_vilt', 'publish', 'read_beit3_weights',
    'read_checkpoint', 'read_clip_weights', 'read_vilt_weights', 'remove_leftovers', 'unwrap_weights'
]
