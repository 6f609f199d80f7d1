"""Weights by name: what there is (:data:`MODELS`), and the files, which are fetched when they are first needed.

A name stands wherever a checkpoint does. A file of that name is used instead. Importing this package needs
nothing but Python, so that ``import mmris`` stays as quick as it was.
"""

from .fetching import cache_folder, fetch_vocabulary, fetch_weights
from .models import MODEL, TOWERS, HubFile, LocalFile, OtherFile, PackageFile, Score, ZooModel
from .names import (
    check_kind,
    complete_config,
    find_model,
    find_vocabulary,
    find_weights,
    get_model,
    list_models,
    suggest,
)
from .own import find_copy
from .table import MODELS

__all__ = [
    'MODEL', 'MODELS', 'TOWERS', 'HubFile', 'LocalFile', 'OtherFile', 'PackageFile', 'Score', 'ZooModel',
    'cache_folder', 'check_kind', 'complete_config', 'fetch_vocabulary', 'fetch_weights', 'find_copy', 'find_model',
    'find_vocabulary', 'find_weights', 'get_model', 'list_models', 'suggest'
]
