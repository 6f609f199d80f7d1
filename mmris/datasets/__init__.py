from .mixed import MixedDataset
from .refcoco import RefCOCODataset
from .sampler import EvaluationBatchSampler, ReferringSampler
from .tokenizers import BEiT3Tokenizer, CLIPTokenizer, WordPieceTokenizer, WordTokenizer
from .transforms import *  # noqa: F401,F403

__all__ = [
    'BEiT3Tokenizer', 'CLIPTokenizer', 'EvaluationBatchSampler', 'MixedDataset', 'RefCOCODataset', 'ReferringSampler',
    'WordPieceTokenizer', 'WordTokenizer'
]
