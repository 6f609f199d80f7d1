"""LISA, as its published code scores ReasonSeg (Lai et al., LISA: Reasoning Segmentation via Large Language Model, CVPR
2024).

Ignored pixels count nowhere. The way back is that of ``mmris``. LISA's code also adds 1e-5 to each union and 1e-10 to
their sum, which we do not.
"""

from dataclasses import replace

from .mmris import MMRIS
from .scoring import Scoring

LISA = replace(
    MMRIS,
    name='lisa',
    threshold=0.5,
    scoring=Scoring(mean='gIoU', overall='cIoU', precisions=(), uses_ignored=True))
