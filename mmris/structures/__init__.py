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
from .inputs import ExpressionBatch, ImageInputs, ImageView, InstanceMasks, ReferringInputs, word_positions
from .referring_data_sample import ReferringDataSample
from .tensor_structure import SharedRows, TensorStructure

__all__ = [
    'EncoderOutput', 'ExpressionBatch', 'FusedFeatures', 'ImageEmbeddings', 'ImageFeatures', 'ImageInputs',
    'ImageView', 'InstanceEmbeddings', 'InstanceFeatures', 'InstanceMasks', 'MainPass', 'ReferringDataSample',
    'ReferringInputs', 'SharedRows', 'TensorStructure', 'TextEmbeddings', 'TextFeatures', 'word_positions'
]
