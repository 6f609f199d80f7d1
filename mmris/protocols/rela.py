"""ReLA, as its published code scores gRefCOCO (Liu et al., GRES: Generalized Referring Expression Segmentation, CVPR
2023), and its variants for models without an existence head.

The way back is that of ``mmris``. ReLA's code scores at the size of the input.
"""

from dataclasses import replace

from .mmris import MMRIS
from .scoring import Scoring

RELA = replace(
    MMRIS,
    name='rela',
    # Of two classes, the first one wins a draw: it is the background.
    threshold=0.5,
    scoring=Scoring(
        mean='gIoU',
        overall='cIoU',
        no_target_accuracy='N-acc',
        target_accuracy='T-acc',
        precisions=(0.7, 0.8, 0.9),
        at_least=True,
        precision_of_targets=True,
        uses_existence=True))
RELA_NO_PIXEL = replace(RELA, name='rela_no_pixel', scoring=replace(RELA.scoring, uses_existence=False))
RELA_50_PIXELS = replace(
    RELA, name='rela_50_pixels', scoring=replace(RELA.scoring, uses_existence=False, min_pixels=50))
RELA_50_PIXELS_CLEARED = replace(
    RELA_50_PIXELS,
    name='rela_50_pixels_cleared',
    scoring=replace(RELA_50_PIXELS.scoring, clears_rejected=True))
