"""PhraseCut, as its published evaluator scores (Wu et al., PhraseCut: Language-based Image Segmentation in the Wild,
CVPR 2020). The evaluator takes masks, so the threshold of 0.5 is our choice. The way back is that of ``mmris``.
"""

from dataclasses import replace

from .mmris import MMRIS
from .scoring import Scoring

PHRASECUT = replace(MMRIS, name='phrasecut', threshold=0.5, scoring=Scoring(overall='cIoU', empty_iou=0.0))
