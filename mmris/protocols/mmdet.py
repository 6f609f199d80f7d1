"""MMDetection's ``RefSegMetric``. The way back is that of ``mmris``."""

from dataclasses import replace

from .mmris import MMRIS
from .scoring import Scoring

MMDET = replace(MMRIS, name='mmdet', threshold=0.5, scoring=Scoring(overall='cIoU', precisions=(), empty_iou=0.0))
