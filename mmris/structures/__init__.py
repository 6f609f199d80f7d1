"""What passes between the stages."""

from .features import (
    EncoderOutput,
    FusedFeatures,
    ImageEmbeddings,
    ImageFeatures,
    InstanceEmbeddings,
    InstanceFeatures,
    MainPass,
    TextEmbeddings,
    TextFeatures,
)
from .inputs import ExpressionBatch, ImageInputs, InstanceMasks, ReferringInputs, word_positions
from .referring_data_sample import ReferringDataSample
from .tensor_structure import TensorStructure

__all__ = [
    'EncoderOutput', 'ExpressionBatch', 'FusedFeatures', 'ImageEmbeddings', 'ImageFeatures', 'ImageInputs',
    'InstanceEmbeddings', 'InstanceFeatures', 'InstanceMasks', 'MainPass', 'ReferringDataSample', 'ReferringInputs',
    'TensorStructure', 'TextEmbeddings', 'TextFeatures', 'word_positions'
]
