"""What passes between the stages."""

from .distillation import BranchOutput, BranchView, MaskedShares, MaskedTokens, TargetShare
from .features import (
    Answer,
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
from .inputs import (
    ExpressionBatch,
    ImageInputs,
    ImageView,
    InstanceMasks,
    PixelDigests,
    ReferringInputs,
    word_positions,
)
from .masking import MaskedImages, MaskedWords
from .referring_data_sample import ReferringDataSample, gather_existence, gather_input_masks
from .tensor_structure import SharedRows, TensorStructure, concatenate_tokens

__all__ = [
    'Answer', 'BranchOutput', 'BranchView', 'EncoderOutput', 'ExpressionBatch', 'FusedFeatures', 'ImageEmbeddings',
    'ImageFeatures', 'ImageInputs', 'ImageView', 'InstanceEmbeddings', 'InstanceFeatures', 'InstanceMasks',
    'MainPass', 'MaskedImages', 'MaskedShares', 'MaskedTokens', 'MaskedWords', 'PixelDigests', 'ReferringDataSample',
    'ReferringInputs', 'SharedRows', 'TargetShare', 'TensorStructure', 'TextEmbeddings', 'TextFeatures',
    'concatenate_tokens', 'gather_existence', 'gather_input_masks', 'word_positions'
]
