"""Predictions for many images."""

from .inferencer import ReferringInferencer
from .inputs import read_inputs, read_pair_file
from .requests import Failure, ImageRequest
from .run import RunSummary
from .sharing import Processes

__all__ = [
    'Failure', 'ImageRequest', 'Processes', 'ReferringInferencer', 'RunSummary', 'read_inputs', 'read_pair_file'
]
