"""Models that others published: one file for each, with all that reading, converting and loading need to know of it.

:data:`PUBLISHED` is the table of them. How to add one is described in docs/add_a_method.md.
"""

from typing import Dict

from .beit3 import BEIT3
from .bert import BERT
from .clip import CLIP
from .converting import Conversion, convert
from .cris import CRIS
from .detris import DETRIS
from .dinov2 import DINOV2
from .evf_sam import EVF_SAM
from .key_map import EXCLUDED, Derived, KeyMap, KeyMapError, Rule, fuse, rename, transpose
from .lavt import LAVT
from .loading import compare_published, load_published
from .model import ConfigFile, Layout, PublishedModel, PublishedWeights
from .reading import read_published
from .segment_anything import SAM
from .swin import SWIN
from .swin_stages import SWIN_STAGES
from .vilt import VILT
from .whole import convert_whole, is_whole_published

#: The published models by the names that commands know them by.
PUBLISHED: Dict[str, PublishedModel] = {
    model.name: model
    for model in (CLIP, BEIT3, BERT, VILT, SWIN, SWIN_STAGES, DINOV2, CRIS, DETRIS, LAVT, SAM, EVF_SAM)
}

__all__ = [
    'BEIT3', 'BERT', 'CLIP', 'CRIS', 'DETRIS', 'DINOV2', 'EVF_SAM', 'EXCLUDED', 'LAVT', 'PUBLISHED', 'SAM',
    'SWIN', 'SWIN_STAGES', 'VILT', 'ConfigFile', 'Conversion', 'Derived', 'KeyMap', 'KeyMapError', 'Layout',
    'PublishedModel', 'PublishedWeights', 'Rule', 'compare_published', 'convert', 'convert_whole', 'fuse',
    'is_whole_published', 'load_published', 'read_published', 'rename', 'transpose'
]
