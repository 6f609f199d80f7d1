from .key_map import Derived, KeyMap, KeyMapError, Rule, fuse, rename, transpose

__all__ = ['Derived', 'KeyMap', 'KeyMapError', 'Rule', 'fuse', 'rename', 'transpose']
