"""DMMI, as its published code scores Ref-ZOM (Hu et al., Beyond One-to-One: Rethinking the Referring Image
Segmentation, ICCV 2023).

Sentences without a target count in ``Acc`` alone. The way back is that of ``mmris``. DMMI's code scores at the size of
the input.
"""

from dataclasses import replace

from .mmris import MMRIS
from .scoring import Scoring

REF_ZOM = replace(
    MMRIS,
    name='ref_zom',
    # Of two classes, the first one wins a draw: it is the background.
    threshold=0.5,
    scoring=Scoring(no_target_accuracy='Acc', at_least=True, iou_of_targets=True, precision_of_targets=True))
