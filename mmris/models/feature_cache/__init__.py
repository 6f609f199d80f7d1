from .cache import FeatureCache, PartCache
from .parts import attach_cache

__all__ = ['FeatureCache', 'PartCache', 'attach_cache']
