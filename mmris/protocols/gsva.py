"""GSVA, as its published code scores gRefCOCO (Xia et al., GSVA: Generalized Segmentation via Multimodal Large Language
Models, CVPR 2024).

A rejected prediction of a target keeps its IoU. The way back is that of ``mmris``. GSVA's code takes logits of at least
0; a logit of exactly 0 is no pixel here.
"""

from dataclasses import replace

from .rela import RELA

GSVA = replace(RELA, name='gsva', scoring=replace(RELA.scoring, precisions=(), keeps_rejected=True))
