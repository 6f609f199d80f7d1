from .refcoco import RefCOCODataset
from .sampler import EvaluationBatchSampler, ReferringSampler
from .tokenizers import CLIPTokenizer
from .transforms import *  # noqa: F401,F403

__all__ = ['CLIPTokenizer', 'EvaluationBatchSampler', 'RefCOCODataset', 'ReferringSampler']
