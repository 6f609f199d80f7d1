# CM-MaskSD on CLIP RN101: the branches mask the stem's cells, all of those under a cell of the attention pool's grid.
_base_ = ['./clip_rn101_cris.py', './masked_distillation.py']
model = dict(distillation=_base_.distillation)
